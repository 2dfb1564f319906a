import type { Delivery } from '../../../core/delivery.ts';
import type { WireError } from '../../../core/errors.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';

/** A peer that wants pieces and does not sync for this long has its leases taken back. */
const SILENT_MS = 5_000;
/** The same where it was asked to sync that seldom. */
const SILENT_INTERVALS = 3;

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
  /** Which of its downloads is in the log, and how that ended. */
  #delivered: string | undefined;
  /** It was told why the task failed. */
  knowsError = false;
  /** Number of the last set before a contradiction was settled: what it says of the whole before it saw the next is old. */
  settledNumber = 0;
  /** The same for all that it says: before it saw this set, it spoke of a claim that was dropped. */
  claimNumber = 0;
  /** It was told whom to ask when adrift. */
  knowsParents = false;
  /** When it was asked to sync again, ms. */
  intervalMs = 0;
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
  weigh({ seq, base, seen }: SyncRequest, epoch: number): 'old' | 'baseless' | 'new' {
    if (seq <= this.#lastSeq) return 'old';
    if (this.claimNumber > 0 && (seen.epoch !== epoch || seen.number < this.claimNumber)) return 'old';
    if (base === 0) return 'new';
    return this.#fullSeq === 0 || base < this.#fullSeq || base > this.#lastSeq ? 'baseless' : 'new';
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

  /** Whether a download that it tells of, which brought something or failed, is not in the log yet. */
  owesDelivery({ begunMs, outcome, bytes }: Delivery): boolean {
    const name = `${begunMs} ${outcome}`;
    if (this.#delivered === name || (bytes.origin + bytes.peers === 0 && outcome !== 'failed')) return false;
    this.#delivered = name;
    return true;
  }

  /** Wants pieces, and says nothing. */
  isSilent(nowMs: number): boolean {
    return this.wants && nowMs - this.#lastSyncMs > Math.max(SILENT_MS, SILENT_INTERVALS * this.intervalMs);
  }

  /** Since when nothing can be got for it, ms; undefined where something can, or it wants nothing. */
  stuckSince(isStuck: boolean, nowMs: number): number | undefined {
    if (!this.wants || !isStuck) this.#stuckSinceMs = undefined;
    else this.#stuckSinceMs ??= nowMs;
    return this.#stuckSinceMs;
  }
}
