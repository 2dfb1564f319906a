import { errorFromWire } from '../../../core/errors.ts';
import { unpackHashes } from '../../../core/hash-page.ts';
import type { HostAddress } from '../../../core/host.ts';
import { type HostId, partitionOf } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Run } from '../../../core/run.ts';
import type { LeaseSet } from '../../../core/sync-messages.ts';
import type { Membership, RefusedEpoch } from '../membership.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { LeaseBook } from './lease-book.ts';
import type { SyncState } from './sync-state.ts';

interface LeaseSetsOptions {
  readonly world: HostWorld;
  readonly membership: Membership;
  readonly content: PeerContent;
  readonly sync: SyncState;
  readonly book: LeaseBook;
  readonly chart: PeerChart;
}

/** What the scheduler says to one peer: geometry, hashes, whom to fetch from, and what to read again. */
export class LeaseSets {
  readonly #options: LeaseSetsOptions;
  readonly #parents = new Map<HostId, HostAddress>();
  /** Whether the last set brought a new lease, so that asking sooner may bring another. */
  isFruitful = true;
  #allTold = false;

  constructor(options: LeaseSetsOptions) {
    this.#options = options;
  }

  /** Hosts that may hold something: those of the address book, and those that were named here. */
  knownHosts(): HostAddress[] {
    const { world, membership } = this.#options;
    const hosts = new Map(membership.addressBook.map((host) => [host.hostId, host]));
    for (const [hostId, host] of this.#parents) hosts.set(hostId, host);
    hosts.delete(world.hostId);
    return [...hosts.values()];
  }

  /** Whether the word of a scheduler of this epoch is believed for the task. */
  accepts(epoch: number): boolean {
    const { membership, content } = this.#options;
    return membership.acceptEpoch(partitionOf(content.taskId), epoch);
  }

  /** Why the scheduler that spoke last of the task is not believed. */
  get refused(): RefusedEpoch | undefined {
    const { membership, content } = this.#options;
    return membership.refusedIn(partitionOf(content.taskId));
  }

  /** The larger epoch that a scheduler must know of to be believed. */
  get fencedBy(): number | undefined {
    const { refused } = this;
    return refused?.why === 'older' ? refused.against : undefined;
  }

  /** Takes a set that was not asked for. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async push(set: LeaseSet): Promise<void> {
    const { sync } = this.#options;
    const { epoch } = sync.seen;
    await this.take(set);
    if (sync.seen.epoch > epoch) this.tellHashes();
  }

  /** A scheduler that lost its log knows no hashes: who has all, and has proven it, tells them. */
  tellHashes(): void {
    const { content, sync, chart } = this.#options;
    const { stored } = content;
    if (stored?.complete !== true || chart.ended) return;
    for (const piece of this.#allTold ? [] : stored.have.ones()) {
      const hash = stored.hash(piece);
      if (hash !== undefined) sync.readFromOrigin(piece, hash);
    }
    this.#allTold = true;
    chart.report({ type: 'sync.wanted' });
  }

  /** Takes a set that is newer than all before. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async take(set: LeaseSet): Promise<void> {
    const { content, sync, book, chart } = this.#options;
    if (!this.accepts(set.epoch) || !sync.accept(set)) return;
    if (set.error) return chart.report({ type: 'task.failed', error: errorFromWire(set.error) });
    for (const source of set.sources) content.addSource(source);
    if (set.claim > sync.claim && sync.claim > 0) await this.#dropClaim();
    sync.claim = set.claim;
    await this.#learnGeometry(set);
    await this.#learnHashes(set);
    for (const parent of set.parents) this.#parents.set(parent.hostId, parent);
    // A set on its way asks once more for what was read already.
    if (set.samples && !sync.owesSamples) chart.report({ type: 'samples.asked', samples: set.samples });
    if (set.suspects) chart.report({ type: 'pieces.suspected', pieces: set.suspects });
    if (set.probe) chart.report({ type: 'probe.asked' });
    if (content.complete) return chart.report({ type: 'pieces.completed' });
    if (chart.ended) return;
    book.originAtOnce = set.originAtOnce;
    this.isFruitful = book.replace(this.#runs(set)) > 0;
  }

  /** All that is here rests on a source whose content contradicts the digest. */
  async #dropClaim(): Promise<void> {
    const { content, sync, chart } = this.#options;
    const discarded = content.discard();
    sync.forgetClaim();
    chart.report({ type: 'content.withdrawn' });
    await discarded;
  }

  async #learnGeometry({ length, pieceLength, audience, ranges, etag }: LeaseSet): Promise<void> {
    const { content } = this.#options;
    if (pieceLength === undefined) return;
    if (content.pieceLength === undefined) {
      content.audience = audience;
      content.etag ??= etag;
    }
    content.ranges = ranges ?? content.ranges;
    await content.learn(length, pieceLength);
  }

  async #learnHashes(set: LeaseSet): Promise<void> {
    const { content, sync, chart } = this.#options;
    const hashes = unpackHashes(set.hashes ?? new Uint8Array()) ?? [];
    if (set.hashFrom > sync.hashCursor) return;
    const wrong = content.expectAll(hashes);
    sync.hashCursor = Math.max(sync.hashCursor, set.hashFrom + hashes.length);
    if (hashes.length === LIMITS.hashesPerPage) chart.report({ type: 'sync.wanted' });
    if (wrong.length === 0) return;
    const dropped = content.drop(wrong);
    sync.startOver();
    // At once: whoever hashes the whole now may stumble over the gap.
    chart.report({ type: 'content.withdrawn' });
    await dropped;
  }

  #runs(set: LeaseSet): Run[] {
    const runs: Run[] = [];
    for (const { first, count, parent, hedge } of set.leases) {
      if (parent === 'origin') this.#vouch(first, count);
      const from = parent === 'origin' ? 'origin' : this.#parents.get(parent);
      if (from !== undefined) runs.push({ first, count, from, hedge: hedge ?? false });
    }
    return runs;
  }

  /** Pieces to be read from the origin that are here already: their hashes are all that is missing. */
  #vouch(first: number, count: number): void {
    const { content, sync } = this.#options;
    const { stored, pieces = 0 } = content;
    for (let piece = first; piece < Math.min(first + count, pieces); piece += 1) {
      const hash = stored?.have.has(piece) ? stored.hash(piece) : undefined;
      if (hash === undefined) continue;
      content.expect(piece, hash);
      sync.readFromOrigin(piece, hash);
    }
  }
}
