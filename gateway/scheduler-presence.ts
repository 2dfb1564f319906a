import type { Clock } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';
import type { SchedulerRow } from '../core/swarm-rows.ts';
import type { Bus, Subscription } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';

/** Which schedulers there are, as each says every second: whoever asks them knows for how many answers to wait. */
export class SchedulerPresence {
  readonly #clock: Clock;
  readonly #heard = new Map<string, { readonly row: SchedulerRow; readonly atMs: number }>();
  readonly #subscriptions: readonly Subscription[];
  #listeningMs: number;

  constructor(bus: Bus, clock: Clock) {
    this.#clock = clock;
    this.#listeningMs = clock.now();
    const heard = bus.subscribe(SUBJECTS.schedulerAlive, {}, (alive, { schedulerId }) => {
      this.#heard.set(schedulerId, { row: { schedulerId, ...alive }, atMs: clock.now() });
    });
    const state = bus.onState((now) => {
      if (now === 'connected') this.#listeningMs = clock.now();
    });
    this.#subscriptions = [heard, state];
  }

  /** Those that are there, by id. */
  rows(): SchedulerRow[] {
    const goneMs = this.#clock.now() - LIMITS.schedulerGoneMs;
    for (const [id, { atMs }] of this.#heard) if (atMs < goneMs) this.#heard.delete(id);
    return [...this.#heard.values()]
      .map(({ row }) => row)
      .sort((a, b) => (a.schedulerId < b.schedulerId ? -1 : 1));
  }

  /** How many there are; undefined where some may not have been heard of yet: who waits for too few misses what the others say. */
  get count(): number | undefined {
    if (this.#clock.now() - this.#listeningMs < LIMITS.schedulerGoneMs) return undefined;
    return this.rows().length || undefined;
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }
}
