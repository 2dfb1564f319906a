import { type Clock, type Random, sleep } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import type { OriginLimits } from './limits.ts';

/** Counts attempts in a row that brought nothing, and waits between them. */
export class RetryBudget {
  readonly #limits: OriginLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  #failed = 0;
  #since: number;

  constructor(limits: OriginLimits, clock: Clock, random: Random) {
    this.#limits = limits;
    this.#clock = clock;
    this.#random = random;
    this.#since = clock.now();
  }

  /** Bytes came: the budget starts anew. */
  progressed(): void {
    this.#failed = 0;
    this.#since = this.#clock.now();
  }

  /** Waits for the next attempt; rethrows what can never succeed, or when the budget is spent. */
  async next(error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof ShoalError) || error.code !== 'ERR_SOURCE_UNAVAILABLE') throw error;
    const { reason } = error.details;
    // The name does not exist; a resolver in trouble says EAI_AGAIN.
    if (reason === 'ENOTFOUND') throw error;
    this.#failed += 1;
    const doubled = this.#limits.backoffMs * 2 ** (this.#failed - 1);
    const asked = retryAfterMs(error, this.#clock.wall());
    const wait = asked ?? doubled * (0.5 + 0.5 * this.#random.next());
    const left = this.#since + this.#limits.budgetMs - this.#clock.now();
    if (this.#failed >= this.#limits.tries || wait > left) throw error;
    await sleep(this.#clock, wait, signal);
  }
}

/** Retry-After of a refusal in milliseconds from now, by seconds or by date. @see RFC 9110 §10.2.3 */
function retryAfterMs(error: ShoalError, wallMs: number): number | undefined {
  const { headers } = error.details as { headers?: Readonly<Record<string, string>> };
  const text = headers?.['retry-after']?.trim();
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallMs);
}
