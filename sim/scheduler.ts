import { composeScheduler } from '../actors/scheduler/compose-scheduler.ts';
import type { SchedulerActor } from '../actors/scheduler/scheduler.ts';
import { schedulerIdFrom } from '../core/ids.ts';
import { silentSchedulerMetrics } from '../core/metrics.ts';
import type { MemoryBus } from '../transport/memory-bus.ts';
import { ProcessClock } from './clock.ts';
import type { SimPlace } from './place.ts';

interface Life {
  readonly clock: ProcessClock;
  readonly bus: MemoryBus;
  readonly actor: SchedulerActor;
}

/** A simulated scheduler: it crashes, and another is born under a larger epoch. */
export class SimScheduler {
  readonly #place: SimPlace;
  #life: Life | undefined;
  #lives = 0;

  constructor(place: SimPlace) {
    this.#place = place;
  }

  /** Under which it owns a partition; 0: it does not. */
  epochOf(partition: number): number {
    return this.#life?.actor.epochOf(partition) ?? 0;
  }

  get running(): boolean {
    return this.#life !== undefined;
  }

  start(): void {
    if (this.#life !== undefined) return;
    const { clock: world, hub, log } = this.#place;
    this.#lives += 1;
    const random = this.#place.random.fork(`scheduler ${this.#lives}`);
    const clock = new ProcessClock(world);
    const schedulerId = schedulerIdFrom(random.bytes(8));
    const bus = hub.bus(schedulerId, { logger: log });
    const actor = composeScheduler({
      clock,
      random,
      bus,
      emit: this.#place.emitter(schedulerId, () => clock.alive),
      log,
      schedulerId,
      keyId: 'sim',
      name: 'sim',
      version: 'sim',
      originReaders: 'all',
      metrics: silentSchedulerMetrics,
      mintToken: () => 'token',
      schedulerKeys: () => [],
    });
    this.#life = { clock, bus, actor };
    actor.start();
  }

  crash(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    life.clock.kill();
    void life.bus.close();
  }

  restart(): void {
    this.crash();
    this.start();
  }

  cutBus(cut: boolean): void {
    this.#life?.bus.setConnected(!cut);
  }
}
