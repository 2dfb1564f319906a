import { TaskHoldings } from '../../actors/scheduler/holdings.ts';
import { HostTable } from '../../actors/scheduler/host-table.ts';
import { SyncLoad } from '../../actors/scheduler/sync-load.ts';
import { TaskActor } from '../../actors/scheduler/task/task.ts';
import { TaskLog } from '../../actors/scheduler/task-log.ts';
import type { SchedulerWorld } from '../../actors/scheduler/world.ts';
import type { Alive } from '../../core/host-messages.ts';
import { type HostId, schedulerIdFrom, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { silentLogger } from '../../core/logger.ts';
import { silentSchedulerMetrics } from '../../core/metrics.ts';
import type { LeaseSet, SyncReply, SyncRequest } from '../../core/sync-messages.ts';
import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { encode } from '../../transport/codec.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { SimClock } from '../clock.ts';
import type { SimRandom } from '../random.ts';
import type { Scene } from './scene.ts';
import type { Tally } from './tally.ts';

/** As the scheduler has it. */
const TICK_MS = 500;
/** Of so many syncs one is weighed. */
const WEIGHED = 32;

interface LightSchedulerOptions {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly scene: Scene;
  readonly taskId: TaskId;
  readonly tally: Tally;
  /** CPU time of this process, µs. */
  readonly cpuUs: () => number;
  readonly onPush: (hostId: string, set: LeaseSet) => void;
}

/** The task of the crowd in the scheduler that ships, without a swarm around it; its core may be given a cost. */
export class LightScheduler {
  readonly #options: LightSchedulerOptions;
  readonly #world: SchedulerWorld;
  readonly #task: TaskActor;
  readonly #load: SyncLoad;
  #busyMs = 0;
  #busyUntilMs = 0;

  constructor(options: LightSchedulerOptions) {
    const { clock, random, taskId, scene, tally, onPush } = options;
    this.#options = options;
    const backlog = {
      get ageMs() {
        return age();
      },
      get aboutMs() {
        return age();
      },
    };
    const age = () => Math.max(0, this.#busyUntilMs - clock.now());
    this.#load = new SyncLoad({ clock, backlog, use: () => ({ busyMs: this.#busyMs, cpuMs: this.#busyMs }) });
    const hub = createMemoryHub({ clock, random: random.fork('hub'), latencyMs: () => scene.latencyMs });
    hub.bus('hosts').subscribe(SUBJECTS.leases, {}, ({ set }, { hostId }) => {
      tally.pushes += 1;
      onPush(hostId, set);
    });
    this.#world = {
      clock,
      random: random.fork('scheduler'),
      bus: hub.bus('scheduler'),
      emit: () => {},
      log: silentLogger,
      schedulerId: schedulerIdFrom(random.fork('scheduler id').bytes(8)),
      keyId: 'light',
      name: 'light',
      version: 'sim',
      originReaders: 'all',
      metrics: silentSchedulerMetrics,
      hosts: new HostTable(),
      slots: new SlotTable(),
      reads: new OriginReads(),
      holdings: new TaskHoldings(),
      mintToken: () => '',
      schedulerKeys: () => [],
      epoch: 1,
      recoveredAtMs: 0,
      mayGrant: () => true,
      intervalMs: (peers) => this.#load.intervalMs(peers),
    };
    this.#task = new TaskActor(this.#world, new TaskLog(this.#world), taskId);
    this.#task.recover(undefined, []);
    this.#tick();
  }

  #tick(): void {
    const { clock } = this.#options;
    this.#task.tick(clock.now());
    this.#load.look(this.#task.wanting);
    clock.after(TICK_MS, () => this.#tick());
  }

  /** A host is there. */
  hear(hostId: HostId, alive: Alive): void {
    const { hosts, slots, clock } = { ...this.#world, ...this.#options };
    hosts.hear(hostId, alive, clock.now());
    slots.setLimits(hostId, { up: alive.slotsUp, down: alive.slotsDown });
  }

  /** A host is silent for too long. */
  lose(hostId: HostId): void {
    this.#world.hosts.remove(hostId);
    this.#task.lose(hostId);
  }

  /** A sync that is on its way for `awayMs`; `answer` is called where it is not too late for that. */
  sync(hostId: HostId, request: SyncRequest, answer: (reply: SyncReply) => void): void {
    const { clock, scene, tally } = this.#options;
    const { latencyMs, serviceMs } = scene;
    tally.syncs += 1;
    clock.after(latencyMs, () => {
      if (this.#load.isLate(request.patienceMs)) return;
      this.#busyUntilMs = Math.max(this.#busyUntilMs, clock.now()) + serviceMs;
      this.#busyMs += serviceMs;
      clock.after(this.#busyUntilMs - clock.now(), () => {
        const reply = this.#answer(hostId, request);
        clock.after(latencyMs, () => answer(reply));
      });
    });
  }

  #answer(hostId: HostId, request: SyncRequest): SyncReply {
    const { tally, cpuUs } = this.#options;
    const begunUs = cpuUs();
    const reply = this.#task.sync(hostId, request);
    tally.answerUs += cpuUs() - begunUs;
    this.#load.synced();
    if (tally.syncs % WEIGHED === 0) {
      tally.messageBytes += WEIGHED * (encode(request).length + encode(reply).length);
    }
    return reply;
  }
}

/** What a light host says of itself. */
export function aliveOf(
  index: number,
  alive: Pick<Alive, 'incarnation' | 'role' | 'slotsUp' | 'slotsDown' | 'zone'>,
): Alive {
  return {
    ...alive,
    ip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    port: 4000,
    version: 'sim',
    uploading: 0,
    downloading: 0,
    cachedBytes: 0,
    cachedTasks: 0,
  };
}

/** How long a host is silent before the scheduler takes it for gone, ms. */
export const GONE_MS = LIMITS.hostGoneMs;
