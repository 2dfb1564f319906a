import type { Cancel } from '../../../core/clock.ts';
import { packHashes } from '../../../core/hash-page.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Lease, LeaseSet } from '../../../core/sync-messages.ts';
import type { Synced } from '../../../scheduling/ledger.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskClaim } from './claim.ts';
import type { TaskContent } from './content.ts';
import { TaskPeer } from './peer.ts';
import type { TaskWord } from './word.ts';

/** Of so many sets one names parents beside those of its leases, once there are any. */
const SETS_PER_BOOK = 8;
/** Idle children looked at in one round of pushes. */
const PUSHES = 4;
/** Holders asked for hashes at once, and how often. */
const CALLS = 2;
const CALL_MS = 500;

interface TaskLeasesOptions {
  readonly world: SchedulerWorld;
  readonly content: TaskContent;
  readonly claim: TaskClaim;
  readonly peers: ReadonlyMap<HostId, TaskPeer>;
  readonly word: TaskWord;
}

/** What hosts are given: leases in answer to a sync, or pushed to those that others made wait or that are wanted. */
export class TaskLeases {
  readonly #options: TaskLeasesOptions;
  #round: Cancel | undefined;
  /** Idle children that were not looked at since there was something new. */
  #untried = 0;
  #calledMs = Number.NEGATIVE_INFINITY;

  constructor(options: TaskLeasesOptions) {
    this.#options = options;
  }

  /** Gives a host as much as it can take; `urgent` is the piece it starves for. */
  grant(synced: Synced, peer: TaskPeer, urgent?: number): readonly Lease[] {
    const { world, claim, peers } = this.#options;
    const setNumber = peer.setNumber + 1;
    claim.proofs.sample(synced, setNumber);
    return synced.grant({
      nowMs: world.clock.now(),
      slots: peer.freeSlots,
      bytesPerSec: peer.transferBytesPerSec,
      intervalMs: world.intervalMs(peers.size),
      setNumber,
      ...(urgent === undefined ? {} : { urgent }),
    });
  }

  /** The whole set of a host, and the hashes from `hashCursor` on, which was counted under `seenEpoch`. */
  setFor(hostId: HostId, peer: TaskPeer, hashCursor: number, seenEpoch: number): LeaseSet {
    const { world, content, claim, word } = this.#options;
    const { epoch } = world;
    peer.setNumber += 1;
    const leases = claim.ledger.leasesOf(hostId).slice(0, 1024);
    const page = claim.claims.page(seenEpoch === epoch ? hashCursor : 0, LIMITS.hashesPerPage);
    peer.hashCursor = page.next;
    return {
      epoch,
      number: peer.setNumber,
      leases,
      originAtOnce: claim.ledger.originParallel(hostId, world.clock.now()),
      parents: this.#addresses(hostId, peer, leases),
      claim: claim.number,
      hashFrom: page.from,
      hashes: page.entries.length > 0 ? packHashes(page.entries) : undefined,
      length: content.length,
      pieceLength: content.pieceLength,
      sources: [...content.sources],
      audience: content.audience,
      home: content.home,
      etag: content.probed?.etag,
      ranges: content.probed?.ranges,
      mediaType: content.probed?.mediaType,
      ...word.for(hostId, peer),
    };
  }

  #addresses(hostId: HostId, peer: TaskPeer, leases: readonly Lease[]): LeaseSet['parents'] {
    const { world, claim } = this.#options;
    const ids = new Set<HostId>();
    for (const { parent } of leases) if (parent !== 'origin') ids.add(parent);
    // Those to know when adrift change seldom, and a host keeps what it was told.
    if (!peer.knowsParents || peer.setNumber % SETS_PER_BOOK === 0) {
      const more = claim.ledger.parentsFor(hostId, LIMITS.parentsInReply);
      for (const id of more) ids.add(id);
      peer.knowsParents = more.length > 0;
    }
    return [...ids].flatMap((id) => world.hosts.address(id) ?? []).slice(0, 256);
  }

  push(hostId: HostId, peer: TaskPeer): void {
    this.#publish(hostId, this.setFor(hostId, peer, peer.hashCursor, this.#options.world.epoch));
  }

  #publish(hostId: HostId, set: LeaseSet): void {
    const { world, content } = this.#options;
    if (!world.mayGrant()) return;
    world.bus.publish(SUBJECTS.leases, { hostId }, { taskId: content.taskId, set });
  }

  /** There is something new: each idle child is given what there is for it, the first few of them now. */
  pushToIdle(except?: HostId): void {
    this.#untried = this.#options.claim.ledger.idleCount;
    this.#pushSome(except);
  }

  /** Like `pushToIdle`, in a moment. */
  pushSoon(): void {
    this.#untried = this.#options.claim.ledger.idleCount;
    this.#nextRound();
  }

  #nextRound(): void {
    this.#round ??= this.#options.world.clock.after(LIMITS.pushEveryMs, () => {
      this.#round = undefined;
      this.#pushSome();
    });
  }

  #pushSome(except?: HostId): void {
    const { world, content, claim, peers } = this.#options;
    if (content.pieceLength === undefined) return this.#pushProbe();
    let left = PUSHES;
    for (const synced of claim.ledger.idleChildren(world.clock.now())) {
      const hostId = synced.host;
      const peer = peers.get(hostId);
      if (hostId === except || peer?.wants !== true) continue;
      if (left === 0) return this.#nextRound();
      if (this.#untried === 0) return;
      left -= 1;
      this.#untried -= 1;
      // What it said of its slots may be a while ago.
      const { downLimit, downUsed } = world.slots.host(hostId);
      peer.freeSlots = Math.max(peer.freeSlots, downLimit - downUsed);
      if (this.grant(synced, peer).length > 0) this.push(hostId, peer);
    }
  }

  /** Where the length is not known, the first host that may ask the origin now is told to. */
  #pushProbe(): void {
    for (const [hostId, peer] of this.#options.peers) {
      if (this.#options.word.for(hostId, peer).probe !== true) continue;
      return this.push(hostId, peer);
    }
  }

  /** Seeds are told of content that all may read; they join by syncing. */
  recruitSeeds(): void {
    const { world, content, claim, peers } = this.#options;
    if (!content.isOpen) return;
    for (const { hostId, alive } of world.hosts.seeds()) {
      if (peers.has(hostId) || claim.ledger.complete(hostId)) continue;
      this.#call(hostId, alive.incarnation);
    }
  }

  /** The hashes of pieces that hosts hold at rest are not known, for the log was lost: some that have all are asked. */
  callHolders(): void {
    const { world, content, claim, peers } = this.#options;
    const nowMs = world.clock.now();
    if (nowMs < this.#calledMs + CALL_MS || claim.claims.known >= (content.pieces ?? 0)) return;
    this.#calledMs = nowMs;
    let calls = CALLS;
    for (const [hostId, holding] of world.holdings.hosts(content.taskId)) {
      const alive = world.hosts.get(hostId)?.alive;
      if (holding !== 'complete' || alive === undefined || peers.has(hostId)) continue;
      this.#call(hostId, alive.incarnation);
      calls -= 1;
      if (calls === 0) return;
    }
  }

  /** There is something that a host is to hear, whether it takes part now or only holds the content. */
  tell(hostId: HostId): void {
    const { world, peers } = this.#options;
    const peer = peers.get(hostId);
    if (peer) return this.push(hostId, peer);
    const alive = world.hosts.get(hostId)?.alive;
    if (alive) this.#call(hostId, alive.incarnation);
  }

  /** Tells a host that takes no part of the task. */
  #call(hostId: HostId, incarnation: number): void {
    const stranger = new TaskPeer(incarnation, this.#options.world.clock.now());
    this.#publish(hostId, this.setFor(hostId, stranger, 0, 0));
  }
}
