import { backoffMs } from '../../../core/backoff.ts';
import type { Clock, Random } from '../../../core/clock.ts';
import { LIMITS } from '../../../core/limits.ts';

/** Between syncs that are not answered, to begin with and at most. */
const UNANSWERED_MS = 250;
const UNANSWERED_MOST_MS = 4_000;
/** A scheduler is silent when nothing comes for so many of the intervals that it asked for. */
const SILENT_INTERVALS = 3;

/** How long a peer waits between syncs, and for their answers: as its scheduler says, and longer where none comes. */
export class Patience {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #random: Random;
  /** What the scheduler asked for last. */
  #toldMs: number = LIMITS.syncMinIntervalMs;
  #intervalMs: number = LIMITS.syncMinIntervalMs;
  /** Syncs in a row that were not answered. */
  #lost = 0;
  #heardMs: number;
  /** Undefined once a scheduler has answered. */
  #firstMs: number | undefined;

  /** @param alone nobody is waited for */
  constructor(clock: Pick<Clock, 'now'>, random: Random, alone = false) {
    this.#clock = clock;
    this.#random = random;
    this.#heardMs = clock.now();
    this.#firstMs = alone
      ? 0
      : LIMITS.firstSyncMinMs + random.next() * (LIMITS.firstSyncMaxMs - LIMITS.firstSyncMinMs);
  }

  /** Whether no scheduler has answered yet. */
  get isFirst(): boolean {
    return this.#firstMs !== undefined;
  }

  /** Time between two syncs. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** How long the next answer is waited for; whole ms, for the sync says it. */
  get timeoutMs(): number {
    const ms = Math.max(LIMITS.syncTimeoutMs, Math.ceil(2 * this.#toldMs));
    const doubled = Math.min(LIMITS.syncTimeoutMostMs, ms * 2 ** Math.min(this.#lost, 16));
    return Math.max(ms, Math.ceil(this.#within(doubled)));
  }

  /** Whether a scheduler has answered of late. */
  get isHeard(): boolean {
    return this.#clock.now() - this.#heardMs <= this.#silentMs(LIMITS.adriftAfterMs);
  }

  /** Whether nothing was heard for so long that nobody is waited for. */
  get isOver(): boolean {
    return this.#leftMs <= 0;
  }

  /** No longer than until nobody is waited for any more: the peer is to notice that in time. */
  #within(ms: number): number {
    return this.#leftMs > 0 ? Math.min(ms, this.#leftMs) : ms;
  }

  get #leftMs(): number {
    const silentMs = this.#silentMs(this.#firstMs ?? LIMITS.adriftAfterMs);
    return this.#heardMs + silentMs - this.#clock.now();
  }

  #silentMs(ms: number): number {
    return Math.max(ms, SILENT_INTERVALS * this.#toldMs);
  }

  /** A scheduler answered; it wants the next sync in `intervalMs`, where it says so. */
  answered(intervalMs?: number): void {
    this.#firstMs = undefined;
    this.#heard(intervalMs ?? this.#toldMs);
  }

  /** A scheduler has too much to do, and asks to wait. */
  told(waitMs: number): void {
    this.#heard(Math.min(waitMs, LIMITS.syncMostIntervalMs) * (0.75 + this.#random.next() / 2));
  }

  #heard(intervalMs: number): void {
    this.#heardMs = this.#clock.now();
    this.#lost = 0;
    this.#toldMs = intervalMs;
    this.#intervalMs = intervalMs;
  }

  /** Another scheduler took over: what the one before did not answer does not count. */
  renewed(): void {
    this.#lost = 0;
    this.#intervalMs = this.#toldMs;
  }

  /** A sync was not answered, or by somebody who is not believed. */
  lost(): void {
    this.#lost += 1;
    const ms = backoffMs(this.#random, this.#lost, UNANSWERED_MS, UNANSWERED_MOST_MS);
    this.#intervalMs = Math.max(this.#toldMs, this.#within(ms));
  }
}
