import type { ShoalError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { OriginReadReason } from '../../../core/origin-reasons.ts';
import type { Probed } from '../../../core/probed.ts';
import type { Run } from '../../../core/run.ts';
import { type FailureReason, parentName } from '../../../core/sync-messages.ts';
import type { OpenBody } from '../../../origins/origin.ts';
import { isRangeless } from '../../../origins/origin-error.ts';
import type { MovedLease, PieceActor } from '../piece/piece.ts';
import type { SlotPool } from '../slot-pool.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import { LeaseBook } from './lease-book.ts';
import type { PeerOrigin } from './origin.ts';
import type { ReceivedCount } from './received.ts';
import type { PeerStats } from './stats.ts';
import type { PeerStory } from './story.ts';
import type { SyncState } from './sync-state.ts';
import { Transfer } from './transfer.ts';

interface PeerTransfersOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly pool: SlotPool;
  readonly origin: PeerOrigin;
  readonly stats: PeerStats;
  readonly sync: SyncState;
  readonly story: PeerStory;
  readonly chart: PeerChart;
  /** Bytes of all tasks of the host. */
  readonly received: ReceivedCount;
  /** Why a piece comes from the origin now. @param isUngiven a host was asked for it and did not give it */
  readonly originReason: (isUngiven: boolean) => OriginReadReason;
  /** Whether a lease is left, since its parent does not give. */
  readonly shuns: (run: Run) => boolean;
}

/** The transfers of one peer: what they bring and how they fail, as the scheduler is to hear of it. */
export class PeerTransfers {
  readonly book: LeaseBook;
  readonly #options: PeerTransfersOptions;
  /** Why each run is read from the origin, as it was when it began. */
  readonly #reasons = new WeakMap<Run, OriginReadReason>();
  /** Pieces that a host was asked for and did not give. */
  readonly #ungiven = new Set<number>();

  constructor(options: PeerTransfersOptions) {
    const { content, pool } = options;
    this.#options = options;
    this.book = new LeaseBook({
      pool,
      isHeld: (first, count) => content.hasRun(first, count),
      isReady: (run) => this.#isReady(run),
      expected: (piece) => content.expected(piece),
      transfer: (lease) => this.#transfer(lease),
      onStored: (run, piece, hash, length) => this.#stored(run, piece, hash, length),
      onEnd: (lease) => this.#ended(lease),
    });
  }

  /** Leases that can be taken beyond those that run or wait: the free slots, and two intervals ahead. */
  freeSlots(intervalMs: number): number {
    const { pool, stats } = this.#options;
    const aheadMs = 2 * intervalMs;
    const ahead = Math.min(LIMITS.slotsDown, Math.ceil(stats.leasesPerSec() * (aheadMs / 1000)));
    return Math.max(0, pool.free + ahead - this.book.queuedCount);
  }

  /** Uses the answer of an origin, and its body as far as nothing of it is there or on its way. */
  async opened(probed: Probed, body: OpenBody | undefined): Promise<void> {
    const { content, sync, origin } = this.#options;
    if (content.stored === undefined) await content.learnProbed(probed, origin.home);
    else await content.amendProbed(probed);
    sync.probed(probed);
    const { pieceLength, pieces } = content;
    if (body === undefined || pieceLength === undefined || content.complete) return body?.discard();
    const prefix = Math.max(1, Math.ceil(LIMITS.resolveBytes / pieceLength));
    const count = content.ranges ? Math.min(prefix, pieces ?? prefix) : (pieces ?? LIMITS.piecesPerTask);
    const run: Run = { first: 0, count, from: 'origin', hedge: false };
    const isWanted = count > 0 && !content.hasRun(0, count) && this.book.isFree(run);
    if (!isWanted) return body.discard();
    this.book.open(run, body);
  }

  #isReady(run: Run): boolean {
    const { content, shuns } = this.#options;
    if (content.stored === undefined || shuns(run)) return false;
    if (run.from === 'origin') return true;
    for (let piece = run.first; piece < run.first + run.count; piece += 1) {
      if (!content.has(piece) && content.expected(piece) === undefined) return false;
    }
    return true;
  }

  #transfer(lease: MovedLease): Transfer {
    const { world, content, origin, stats, story, pool, received } = this.#options;
    const { run } = lease;
    story.slots(pool);
    const onBytes = (bytes: number) => stats.bytesCame(bytes);
    const load = () => ({ cameBytes: received.cameBytes, running: pool.used });
    const transfer = new Transfer({ world, content, originRequest: origin.demand, onBytes, load }, lease);
    if (run.from === 'origin') this.#reasons.set(run, this.#originReason(run));
    stats.transferBegan(lease, run.from);
    return transfer;
  }

  #stored(run: Run, piece: number, hash: Uint8Array, length: number): void {
    const { content, sync, stats, story, chart } = this.#options;
    const { from } = run;
    const reason = from === 'origin' ? (this.#reasons.get(run) ?? this.#originReason(run)) : undefined;
    if (reason !== undefined) {
      content.expect(piece, hash);
      sync.readFromOrigin(piece, hash);
      stats.originRead(length, reason);
    }
    sync.stored(piece);
    stats.pieceCame(length, from, this.#isTail());
    story.pieceCame(piece, length, from, reason);
    chart.report({ type: 'piece.stored', run });
  }

  /** Whether what is missing is the last part of the content, where all that can be done is to wait for it. */
  #isTail(): boolean {
    const { pieces, stored } = this.#options.content;
    if (pieces === undefined || stored === undefined) return false;
    return pieces - stored.have.count <= Math.floor(pieces * LIMITS.hedgeTailShare);
  }

  /** Why the origin gives a run whose read begins now. */
  #originReason({ first, count }: Run): OriginReadReason {
    for (let piece = first; this.#ungiven.size > 0 && piece < first + count; piece += 1) {
      if (this.#ungiven.has(piece)) return this.#options.originReason(true);
    }
    return this.#options.originReason(false);
  }

  #ended(lease: PieceActor): void {
    const { world, stats, story, pool, chart } = this.#options;
    const { run, bytes, durationMs, failure } = lease;
    stats.transferEnded(lease, run.from, bytes, durationMs);
    if (chart.ended) return;
    story.slots(pool);
    if (failure) this.failed(run, failure.reason, failure.error, world.clock.now() - durationMs);
    chart.report({ type: 'transfer.ended', run, failed: failure !== undefined });
  }

  /** What a host that has no free slot did not give it may still give. */
  #notGiven({ first, count, from }: Run, reason: FailureReason): void {
    const { stats, content } = this.#options;
    stats.transferFailed(from, reason);
    if (from === 'origin' || reason === 'busy' || reason === 'store') return;
    for (let piece = first; piece < first + count; piece += 1) {
      if (!content.has(piece)) this.#ungiven.add(piece);
    }
  }

  /** Tells the scheduler of a failure, unless it is this host's own. */
  failed(run: Run, reason: FailureReason, error: ShoalError, begunMs: number): void {
    const { origin, sync, story, chart } = this.#options;
    story.transferFailed(run, reason, error);
    this.#notGiven(run, reason);
    const isRead = run.from === 'origin' && reason !== 'store';
    const goesOn =
      isRead && (isRangeless(error) ? this.#loseRanges() : origin.failed(reason, error, begunMs));
    chart.report({ type: 'transfer.failed', run, reason, error });
    if (reason === 'store') return;
    sync.failed({
      ...wrongPart(run, reason, error),
      parent: parentName(run.from),
      // What one client was refused is nothing against the origin while this host reads it as another.
      reason: goesOn ? 'busy' : reason,
      ...(goesOn ? {} : { error: error.toWire() }),
    });
  }
  /** From now on the origin is read in one stream. */
  #loseRanges(): true {
    const { content, sync } = this.#options;
    content.ranges = false;
    const { length, etag, lastModified, audience, mediaType, encoding } = content;
    sync.probed({ length, etag, lastModified, audience, mediaType, encoding, ranges: false });
    return true;
  }
}

/** The pieces that a failure is about: one that came wrong says nothing of those beside it. */
function wrongPart({ first, count }: Run, reason: FailureReason, { details }: ShoalError) {
  const { piece } = details;
  return reason === 'corrupt' && typeof piece === 'number' ? { first: piece, count: 1 } : { first, count };
}
