import type { Clock } from '../../../core/clock.ts';
import type { SchedulerId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { hash32 } from '../../../core/rendezvous.ts';

/** An epoch modulo this tells schedulers apart that know of each other neither by the store nor by presence. */
const STRIDE = 1_024;

/** Which epochs were seen of each partition, and a larger one. */
export class Epochs {
  readonly #clock: Clock;
  readonly #residue: number;
  readonly #seen = new Map<number, number>();

  constructor(clock: Clock, owner: SchedulerId) {
    this.#clock = clock;
    this.#residue = hash32(owner) % STRIDE;
  }

  /** Whether a larger one can be claimed: further ahead than a day is a lie, or a clock that is wrong. */
  isPlausible(epoch: number): boolean {
    return epoch <= this.#clock.wall() + LIMITS.epochAheadMs;
  }

  /** Somebody claims, or names, this epoch. */
  see(partition: number, epoch: number): void {
    if (this.isPlausible(epoch) && epoch > this.seen(partition)) this.#seen.set(partition, epoch);
  }

  seen(partition: number): number {
    return this.#seen.get(partition) ?? 0;
  }

  /** Larger than all that were seen or given out, and not below the wall clock in ms. */
  next(partition: number): number {
    const least = Math.max(this.#clock.wall(), this.seen(partition) + 1);
    const epoch = Math.ceil((least - this.#residue) / STRIDE) * STRIDE + this.#residue;
    this.#seen.set(partition, epoch);
    return epoch;
  }
}
