import { SchedulerGroup } from '../../actors/scheduler/group/group.ts';
import { type SchedulerId, schedulerIdFrom } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { MemoryBus, MemoryHub } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { SimClock } from '../clock.ts';
import type { SimRandom } from '../random.ts';
import { ModelProcess } from './process.ts';
import type { ModelStore } from './store.ts';

/** What a scheduler of the model is put into. */
export interface ModelGround {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly hub: MemoryHub;
  readonly store: ModelStore;
  readonly partitions: number;
  readonly log: Logger;
}

/** One life of one scheduler: the group's own charts, over a process that stands still, is cut off, and dies. */
export class ModelScheduler {
  readonly id: SchedulerId;
  readonly keyId: string;
  isLeaving = false;
  /** Told what becomes of each partition. */
  onTenure: (what: 'begun' | 'recovered' | 'ended', partition: number) => void = () => {};
  readonly process: ModelProcess;
  readonly #group: SchedulerGroup;
  readonly #bus: MemoryBus;

  constructor(ground: ModelGround, { keyId, skewMs }: { readonly keyId: string; readonly skewMs: number }) {
    const { clock, random, hub, store, partitions, log } = ground;
    const process = new ModelProcess(clock);
    process.skewMs = skewMs;
    const bus = hub.bus(`s${Math.floor(random.next() * 2 ** 32)}`);
    this.keyId = keyId;
    this.process = process;
    this.#bus = bus;
    this.id = schedulerIdFrom(random.bytes(8));
    const group: SchedulerGroup = new SchedulerGroup({
      clock: process,
      log,
      schedulerId: this.id,
      keyId,
      partitions,
      bus: {
        get state() {
          return bus.state;
        },
        onState: (listener) => bus.onState((state) => process.run(() => listener(state))),
        publish: (subject, tokens, message) => bus.publish(subject, tokens, message),
        subscribe: (subject, match, handler) =>
          bus.subscribe(subject, match, (message, tokens) => process.run(() => handler(message, tokens))),
        directory: () => store.directory(process),
      },
      tenures: {
        begin: (begun) => {
          for (const { partition, epoch } of begun) {
            this.onTenure('begun', partition);
            bus.publish(SUBJECTS.census, {}, { epoch, partitions: [partition], schedulerKeys: [] });
          }
        },
        recovered: (partition) => this.onTenure('recovered', partition),
        end: (partitions) => {
          for (const partition of partitions) this.onTenure('ended', partition);
        },
        resumed() {},
      },
      describe: () => ({ name: 'model', sinceMs: 0, tasks: 0, hosts: 0, version: 'model' }),
    });
    this.#group = group;
    group.start();
  }

  get isAlive(): boolean {
    return !this.process.isDead;
  }

  /** What it grants to a host that asks, and that has refused an epoch before. */
  asked(partition: number, refusedEpoch: number | undefined, answer: (epoch: number) => void): void {
    if (this.process.isCut) return;
    this.process.run(() => {
      if (refusedEpoch !== undefined) this.#group.refused(partition, refusedEpoch);
      const epoch = this.#group.epochOf(partition);
      if (epoch !== undefined) answer(epoch);
    });
  }

  cut(isCut: boolean): void {
    this.process.isCut = isCut;
    this.#bus.setConnected(!isCut);
  }

  kill(): void {
    this.process.kill();
    void this.#bus.close();
  }

  leave(): void {
    this.isLeaving = true;
    void this.#group.leave().then(() => this.kill());
  }

  /** For whoever reads a history that went wrong. */
  describe(): string {
    const { partitions, guided, epoch } = this.#group.standing;
    return `${this.id} ${guided ? 'guided' : 'unguided'} ${epoch} [${partitions}]`;
  }
}
