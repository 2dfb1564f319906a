import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { BegunTenure, Tenures } from './group/partition-set.ts';
import type { ResourceTable } from './resource-table.ts';
import type { TaskTable } from './task-table.ts';
import type { GroupWorld, SchedulerWorld } from './world.ts';

interface ServedPartitionsOptions {
  readonly world: GroupWorld;
  readonly tasks: TaskTable;
  readonly resources: ResourceTable;
  /** Takes what hosts say to the owner of a partition. */
  readonly serve: (partition: number) => readonly Subscription[];
  readonly epochOf: (partition: number) => number | undefined;
  readonly intervalMs: SchedulerWorld['intervalMs'];
}

interface Served {
  readonly world: SchedulerWorld;
  readonly subscriptions: readonly Subscription[];
}

/** The partitions that a scheduler serves: each heard on subjects of its own, and recovered from log and census. */
export class ServedPartitions implements Tenures {
  readonly #options: ServedPartitionsOptions;
  readonly #served = new Map<number, Served>();

  constructor(options: ServedPartitionsOptions) {
    this.#options = options;
  }

  begin(begun: readonly BegunTenure[]): void {
    const { world, tasks, serve, epochOf, intervalMs } = this.#options;
    const recoveredAtMs = world.clock.now() + LIMITS.censusMs;
    const worlds = new Map<number, SchedulerWorld>();
    for (const { partition, epoch } of begun) {
      const mayGrant = () => epochOf(partition) === epoch;
      worlds.set(partition, { ...world, epoch, recoveredAtMs, mayGrant, intervalMs });
    }
    tasks.begin(worlds);
    for (const [partition, tenure] of worlds) {
      this.#served.set(partition, { world: tenure, subscriptions: serve(partition) });
    }
    this.#sayCensus(begun);
    const { schedulerId, log } = world;
    log.info({ schedulerId, partitions: begun.length, epoch: begun[0]?.epoch }, 'scheduler serves');
  }

  /** Asks every host what it holds of these partitions, or one. */
  #sayCensus(tenures: readonly BegunTenure[], hostId?: HostId): void {
    const { bus, schedulerId, schedulerKeys } = this.#options.world;
    const byEpoch = new Map<number, number[]>();
    for (const { partition, epoch } of tenures) {
      byEpoch.set(epoch, [...(byEpoch.get(epoch) ?? []), partition]);
    }
    for (const [epoch, partitions] of byEpoch) {
      const census = { epoch, partitions, schedulerKeys: schedulerKeys(), schedulerId };
      if (hostId === undefined) bus.publish(SUBJECTS.census, {}, census);
      else bus.publish(SUBJECTS.ask, { hostId }, census);
    }
  }

  get #tenures(): BegunTenure[] {
    return [...this.#served].map(([partition, { world }]) => ({ partition, epoch: world.epoch }));
  }

  /** Asks a host what it holds of all that is served here. */
  ask(hostId: HostId): void {
    this.#sayCensus(this.#tenures, hostId);
  }

  /** Hosts that wait for a lease of the origin are not left to ask again. */
  recovered(partition: number): void {
    for (const actor of this.#options.tasks.actors(partition)) actor.recovered();
  }

  end(partitions: readonly number[]): void {
    const { tasks, resources } = this.#options;
    const ended = new Set<number>();
    for (const partition of partitions) {
      const served = this.#served.get(partition);
      if (served === undefined) continue;
      this.#served.delete(partition);
      for (const subscription of served.subscriptions) subscription.close();
      ended.add(partition);
    }
    if (ended.size === 0) return;
    tasks.end(ended);
    resources.forgetPartitions(ended);
  }

  /** Hosts were lost meanwhile that were not gone: nothing is leased from the origin before they are heard again. */
  resumed(): void {
    const { clock } = this.#options.world;
    const recoveredAtMs = clock.now() + LIMITS.censusMs;
    for (const { world } of this.#served.values()) world.recoveredAtMs = recoveredAtMs;
    clock.after(LIMITS.censusMs, () => {
      for (const partition of this.#served.keys()) this.recovered(partition);
    });
    this.#sayCensus(this.#tenures);
    void this.#options.tasks.readLog([...this.#served.keys()]);
  }

  /** Hears nothing more. */
  stop(): void {
    for (const { subscriptions } of this.#served.values()) for (const one of subscriptions) one.close();
  }
}
