import type { Cancel } from '../../../core/clock.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { SlotPool } from '../slot-pool.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { LeaseBook } from './lease-book.ts';
import type { ReceivedCount } from './received.ts';
import type { PeerStats } from './stats.ts';

const LOOK_MS = 250;
/** A host that gets pieces of other tasks, or has no time left itself, is busy rather than cut off: it waits so many times as long. */
const BUSY_TIMES = 3;
/** The rate is that of so many looks. */
const LOOKS = 8;

/** Why nothing comes though a scheduler answers: hosts that are to give it cannot be got at from here, or nobody was named. */
export type StarveCause = 'unreachable' | 'starved';

/** What a host may have been named for, and cannot give. */
const OUT_OF_REACH = new Set<FailureReason>(['unreachable', 'stalled', 'denied', 'protocol']);

interface PeerProgressOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly pool: SlotPool;
  readonly book: LeaseBook;
  readonly stats: PeerStats;
  /** Of all tasks of the host. */
  readonly received: ReceivedCount;
  readonly chart: PeerChart;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/**
 * Whether a download that wants pieces gets any: a new piece, or bytes above the floor rate while the piece that they
 * are of is not overdue.
 */
export class PeerProgress {
  readonly #options: PeerProgressOptions;
  readonly #failing = new Set<string>();
  #timer: Cancel | undefined;
  #held = 0;
  /** Bytes of pieces that hosts gave. */
  #given = 0;
  #sinceMs = 0;
  /** How much of that this host had no time, or waited for its disk. */
  #heldUpMs = 0;
  /** Bytes of the host's other tasks at the last look, and when they grew last. */
  #others = 0;
  #movedMs = Number.NEGATIVE_INFINITY;
  #samples: Sample[] = [];
  /** Why, and because of whom, nothing came when that was told last. */
  cause: StarveCause = 'starved';
  failing: readonly string[] = [];

  constructor(options: PeerProgressOptions) {
    this.#options = options;
  }

  start(): void {
    this.#samples = [];
    this.restart();
    this.#look();
  }

  /** Whether hosts that are to give pieces cannot be got at, and no other has given any since. */
  get isCutOff(): boolean {
    return this.#failing.size > 0;
  }

  /** Whoever is to give pieces now has had no time to. */
  restart(): void {
    this.#begin(this.#options.world.clock.now());
    this.#failing.clear();
  }

  #begin(atMs: number): void {
    this.#sinceMs = atMs;
    this.#heldUpMs = 0;
  }

  stop(): void {
    this.#timer?.();
  }

  /** A transfer from a host failed, and may be why nothing comes. */
  failed({ from }: Run, reason: FailureReason): void {
    if (from !== 'origin' && OUT_OF_REACH.has(reason)) this.#failing.add(from.hostId);
  }

  #look(): void {
    const { world, content, stats, chart } = this.#options;
    this.#timer = world.clock.after(LOOK_MS, () => this.#look());
    const atMs = world.clock.now();
    this.#samples = [...this.#samples.slice(-LOOKS), { atMs, bytes: stats.cameBytes }];
    const held = content.stored?.have.count ?? 0;
    const isBusy = this.#isBusy(atMs);
    if (held !== this.#held || (isBusy && this.#waitsForSlot())) this.#begin(atMs);
    else if (stats.isHeldUp(atMs)) this.#heldUpMs += LOOK_MS;
    this.#held = held;
    const { peers } = stats.received();
    if (peers !== this.#given) this.#failing.clear();
    this.#given = peers;
    const forMs = atMs - this.#sinceMs;
    const mostMs = BUSY_TIMES * world.starvedAfterMs;
    const waitMs =
      isBusy && !this.isCutOff ? mostMs : Math.min(mostMs, world.starvedAfterMs + this.#heldUpMs);
    if (forMs < waitMs || this.#flows(forMs) || chart.state === 'starved') return;
    this.failing = [...this.#failing];
    this.cause = this.isCutOff ? 'unreachable' : 'starved';
    chart.report({ type: 'progress.missed' });
  }

  /** Whether other tasks of this host got bytes of late. */
  #isBusy(atMs: number): boolean {
    const { received, stats } = this.#options;
    const others = received.cameBytes - stats.cameBytes;
    if (others > this.#others) this.#movedMs = atMs;
    this.#others = others;
    return atMs - this.#movedMs <= 2 * LOOK_MS;
  }

  /** Whether it only waits for a slot of this host, whose other tasks have them. */
  #waitsForSlot(): boolean {
    const { pool, book } = this.#options;
    return pool.free === 0 && book.runningCount === 0;
  }

  /** Whether bytes come fast enough, and the pieces on their way are not overdue at that rate. */
  #flows(forMs: number): boolean {
    const { content, book, world } = this.#options;
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return false;
    const bytesPerSec = (1000 * (last.bytes - first.bytes)) / (last.atMs - first.atMs);
    if (bytesPerSec < LIMITS.floorBytesPerSec) return false;
    const pieceMs = (1000 * (content.pieceLength ?? 0) * Math.max(1, book.runningCount)) / bytesPerSec;
    return forMs < Math.max(world.starvedAfterMs, LIMITS.overduePieces * pieceMs);
  }
}
