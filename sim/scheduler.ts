import { composeScheduler } from '../actors/scheduler/compose-scheduler.ts';
import type { SchedulerActor } from '../actors/scheduler/scheduler.ts';
import { schedulerIdFrom } from '../core/ids.ts';
import { silentSchedulerMetrics } from '../core/metrics.ts';
import { mintToken } from '../dataplane/membership-token.ts';
import type { SigningKey } from '../dataplane/signing-key.ts';
import type { MemoryBus } from '../transport/memory-bus.ts';
import { ProcessClock } from './clock.ts';
import { signingKeyOf } from './papers.ts';
import { type SimPlace, SWARM, spokenBy } from './place.ts';

interface Life {
  readonly clock: ProcessClock;
  readonly bus: MemoryBus;
  readonly actor: SchedulerActor;
}

/** A simulated scheduler: it crashes, and another is born under a larger epoch. */
export class SimScheduler {
  readonly #place: SimPlace;
  readonly #name: string;
  readonly #key: SigningKey;
  /** How far its clock is ahead of the others', from its next start on, ms. */
  skewMs = 0;
  #life: Life | undefined;
  #lives = 0;

  constructor(place: SimPlace, name: string) {
    this.#place = place;
    this.#name = name;
    this.#key = signingKeyOf(place.random.fork(`${name} key`));
  }

  /** Under which it owns a partition; 0: it does not. */
  epochOf(partition: number): number {
    return this.#life?.actor.epochOf(partition) ?? 0;
  }

  /** The name of its bus; undefined while it is down. */
  get busName(): string | undefined {
    return this.#life?.bus.name;
  }

  get running(): boolean {
    return this.#life !== undefined;
  }

  start(): void {
    if (this.#life !== undefined) return;
    const { clock: world, hub, kept } = this.#place;
    const log = spokenBy(this.#name, this.#place.log);
    this.#lives += 1;
    const random = this.#place.random.fork(`${this.#name} ${this.#lives}`);
    const clock = new ProcessClock(world, this.skewMs);
    const schedulerId = schedulerIdFrom(random.bytes(8));
    const bus = hub.bus(schedulerId, { logger: log, process: clock });
    kept.keys.set(this.#key.keyId, this.#key.publicKey);
    const actor = composeScheduler({
      clock,
      random,
      bus,
      emit: this.#place.emitter(schedulerId, () => clock.alive),
      log,
      schedulerId,
      keyId: this.#key.keyId,
      name: this.#name,
      version: 'sim',
      originReaders: 'all',
      metrics: silentSchedulerMetrics,
      mintToken: (hostId, publicKey, expMs) =>
        mintToken(this.#key, { hostId, publicKey, swarm: SWARM, expMs }),
      schedulerKeys: () => [...kept.keys].map(([id, publicKey]) => ({ id, publicKey })),
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

  /** Stops the process where it is, as SIGSTOP does, or lets it go on. */
  freeze(isFrozen: boolean): void {
    if (isFrozen) this.#life?.clock.freeze();
    else this.#life?.clock.thaw();
  }

  cutBus(cut: boolean): void {
    this.#life?.bus.setConnected(!cut);
  }
}
