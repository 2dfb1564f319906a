import type { Clock } from '../../../core/clock.ts';
import type { SchedulerAlive } from '../../../core/host-messages.ts';
import type { SchedulerId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';

/** The other schedulers that were heard of late. */
export class Presence {
  readonly #clock: Clock;
  readonly #heard = new Map<SchedulerId, { readonly alive: SchedulerAlive; readonly heardMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hear(id: SchedulerId, alive: SchedulerAlive): void {
    this.#heard.set(id, { alive, heardMs: this.#clock.now() });
  }

  get(id: SchedulerId): SchedulerAlive | undefined {
    return this.#heard.get(id)?.alive;
  }

  /** Forgets those that have been silent for too long. */
  sweep(): void {
    const nowMs = this.#clock.now();
    for (const [id, { heardMs }] of this.#heard) {
      if (nowMs - heardMs > LIMITS.schedulerGoneMs) this.#heard.delete(id);
    }
  }

  /** Those that stay, and have no store to go by either. */
  get unguided(): SchedulerId[] {
    return [...this.#heard].filter(([, { alive }]) => !alive.guided && !alive.leaving).map(([id]) => id);
  }

  /** Whether anybody goes by the store. */
  get isGuided(): boolean {
    return [...this.#heard.values()].some(({ alive }) => alive.guided);
  }

  /** The largest epoch that others have of a partition, as far as they tell. */
  epochOf(partition: number): number {
    let largest = 0;
    for (const { alive } of this.#heard.values()) {
      if (alive.partitions.includes(partition)) largest = Math.max(largest, alive.epoch);
    }
    return largest;
  }
}
