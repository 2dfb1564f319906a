import type { WireError } from '../../../core/errors.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';

/** A peer that wants pieces and does not sync for this long has its leases taken back. */
const SILENT_MS = 5_000;

/** What a scheduler remembers of one host's syncs in one task. */
export class TaskPeer {
  readonly incarnation: number;
  readonly joinedMs: number;
  /** Number of the last lease set it was given. */
  setNumber = 0;
  wants = false;
  freeSlots = 0;
  transferBytesPerSec = 0;
  mayReadOrigin = false;
  received: SyncRequest['received'] = { origin: 0, peers: 0, local: 0 };
  originReasons: Readonly<Record<string, number>> = {};
  /** What the origin told it last when it refused. */
  error: WireError | undefined;
  /** Its delivery is in the log. */
  delivered = false;
  /** It was asked for the origin's first bytes: what it read of them is leased. */
  probes = false;
  /** It tells hashes of pieces that another scheduler leased to it. */
  veteran = false;
  /** Pieces that ran when it was new here, or adrift: this scheduler did not lease them, but they may come from the origin. */
  readonly inherited = new Set<number>();
  /** It was told whom to ask when adrift. */
  knowsParents = false;
  /** How far it has been told the log of hashes. */
  hashCursor = 0;
  /** Largest seq applied, and the one that said everything last. */
  #lastSeq = 0;
  #fullSeq = 0;
  #lastSyncMs: number;
  /** Since when nothing can be got for it. */
  #stuckSinceMs: number | undefined;

  constructor(incarnation: number, nowMs: number) {
    this.incarnation = incarnation;
    this.joinedMs = nowMs;
    this.#lastSyncMs = nowMs;
  }

  /** Whether a sync came late or twice, builds on one that is not known here, or is to be applied. */
  weigh({ seq, base }: SyncRequest): 'old' | 'baseless' | 'new' {
    if (seq <= this.#lastSeq) return 'old';
    if (base === 0) return 'new';
    return this.#fullSeq === 0 || base < this.#fullSeq || base > this.#lastSeq ? 'baseless' : 'new';
  }

  /** What it read before this scheduler knew it, it tells in its first syncs, some of which know this epoch already. */
  inherit({ running, adrift, hashes }: SyncRequest, sameEpoch: boolean): void {
    if (!sameEpoch || this.#lastSeq === 0 || adrift) {
      this.veteran = true;
      for (const piece of running) this.inherited.add(piece);
    } else if (hashes === undefined) this.veteran = false;
  }

  /** A sync was applied. */
  synced(request: SyncRequest, nowMs: number): void {
    if (request.base === 0) this.#fullSeq = request.seq;
    this.#lastSeq = request.seq;
    this.#lastSyncMs = nowMs;
    this.wants = request.wants;
    this.freeSlots = request.freeSlots;
    this.transferBytesPerSec = request.transferBytesPerSec;
    this.received = request.received;
    this.originReasons = request.originReasons ?? {};
  }

  /** Wants pieces, and says nothing. */
  isSilent(nowMs: number): boolean {
    return this.wants && nowMs - this.#lastSyncMs > SILENT_MS;
  }

  /** Since when nothing can be got for it, ms; undefined where something can, or it wants nothing. */
  stuckSince(isStuck: boolean, nowMs: number): number | undefined {
    if (!this.wants || !isStuck) this.#stuckSinceMs = undefined;
    else this.#stuckSinceMs ??= nowMs;
    return this.#stuckSinceMs;
  }
}
