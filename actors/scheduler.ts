import type { Cancel } from '../core/clock.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import type { Alive, AnnounceReply, AnnounceRequest, Holds } from '../core/host-messages.ts';
import {
  type HostId,
  isHostId,
  isResourceId,
  isTaskId,
  PARTITIONS,
  partitionOf,
  type ResourceId,
  type TaskId,
} from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { LogCreated } from '../core/log-messages.ts';
import type { Query } from '../core/query-messages.ts';
import type { ResolveReply, ResolveRequest } from '../core/resolve-messages.ts';
import type { SyncReply, SyncRequest } from '../core/sync-messages.ts';
import type { Subscription } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { Resource } from './resource.ts';
import type { SchedulerWorld } from './scheduler-world.ts';
import { TaskActor } from './task.ts';
import { TaskLog } from './task-log.ts';

const TICK_MS = 500;
const QUEUE = 'scheduler';
/** How long hosts have to say what they hold. */
const CENSUS_MS = 1_000;

/** One scheduler: routes what hosts say to the actors of its tasks, and keeps the table of hosts. */
export class SchedulerActor {
  readonly #world: SchedulerWorld;
  readonly #log: TaskLog;
  readonly #tasks = new Map<
    TaskId,
    { readonly actor: TaskActor; readonly ready: Promise<void> | undefined }
  >();
  readonly #resources = new Map<ResourceId, Resource>();
  readonly #created = new Map<TaskId, LogCreated>();
  #subscriptions: Subscription[] = [];
  #cancelTick: Cancel | undefined;
  #ticks = 0;

  constructor(world: SchedulerWorld) {
    this.#world = world;
    this.#log = new TaskLog(world);
  }

  start(): void {
    const { bus } = this.#world;
    const queue = { queue: QUEUE };
    this.#subscriptions = [
      bus.serve(
        SUBJECTS.announce,
        {},
        (request, { hostId }) => this.#announce(asHost(hostId), request),
        queue,
      ),
      bus.serve(SUBJECTS.sync, {}, (request, tokens) => this.#sync(tokens, request)),
      bus.serve(SUBJECTS.resolve, {}, (request, tokens) => this.#resolve(tokens, request)),
      bus.serve(SUBJECTS.query, {}, (query, { noun }) => this.#query(noun, query)),
      bus.subscribe(SUBJECTS.alive, {}, (alive, { hostId }) => this.#alive(asHost(hostId), alive)),
      bus.subscribe(SUBJECTS.holds, {}, (holds, { hostId }) => this.#holds(asHost(hostId), holds)),
      bus.onState((state) => {
        if (state === 'connected') this.#returned();
      }),
    ];
    if (bus.state === 'connected') this.#takeCensus();
    this.#tick();
  }

  /** Hosts were lost meanwhile that were not gone: nothing is leased from the origin before they are heard again. */
  #returned(): void {
    this.#world.recoveredAtMs = this.#world.clock.now() + CENSUS_MS;
    this.#takeCensus();
  }

  /** Reads the log, and asks every host what it holds. */
  #takeCensus(): void {
    const { bus, epoch, schedulerKeys, log } = this.#world;
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    bus.publish(SUBJECTS.census, {}, { epoch, partitions, schedulerKeys: schedulerKeys() });
    this.#log.readCreated().then(
      (entries) => {
        for (const entry of entries)
          if (!this.#created.has(entry.taskId)) this.#created.set(entry.taskId, entry);
        log.info({ tasks: entries.length, epoch }, 'task log read');
      },
      (error: unknown) =>
        log.warn({ code: toShoalError(error).code }, 'the task log cannot be read; going on without'),
    );
  }

  // --- hosts ---

  #announce(hostId: HostId, request: AnnounceRequest): AnnounceReply {
    const { hosts, clock, epoch, schedulerKeys, mintToken } = this.#world;
    this.#alive(hostId, request);
    const tokenExpiresAtMs = clock.wall() + LIMITS.tokenMs;
    return {
      token: mintToken(hostId, request.publicKey, tokenExpiresAtMs),
      tokenExpiresAtMs,
      schedulerKeys: schedulerKeys(),
      addressBook: hosts.addressBook(hostId),
      epoch,
      aliveEveryMs: Math.max(LIMITS.aliveMs, hosts.size),
    };
  }

  #alive(hostId: HostId, alive: Alive): void {
    const { hosts, slots, clock, emit, log } = this.#world;
    const news = hosts.hear(hostId, alive, clock.now());
    slots.setLimits(hostId, { up: alive.slotsUp, down: alive.slotsDown });
    if (news === 'known') return;
    if (news === 'reborn') this.#forget(hostId);
    const { ip, port, role, zone } = alive;
    log.info({ hostId, ip, port, role, news }, 'host announced');
    emit('host.announced', hostId, { hostId, ip, port, role, ...(zone === undefined ? {} : { zone }) });
  }

  #holds(hostId: HostId, holds: Holds): void {
    const known = this.#world.hosts.get(hostId);
    if (known !== undefined && known.alive.incarnation !== holds.incarnation) return;
    this.#world.holdings.take(hostId, holds);
    for (const row of holds.tasks) this.#tasks.get(row.taskId)?.actor.hold(hostId, row.have ?? 'complete');
    for (const taskId of holds.gone) this.#tasks.get(taskId)?.actor.lose(hostId);
    for (const { taskId, length, pieceLength, audience } of holds.tasks) {
      if (this.#created.has(taskId) || length === undefined || pieceLength === undefined) continue;
      const atMs = this.#world.clock.wall();
      this.#created.set(taskId, {
        epoch: this.#world.epoch,
        taskId,
        length,
        pieceLength,
        sources: [],
        audience,
        atMs,
      });
    }
  }

  /** A host is gone or another incarnation: nothing it held or fetched counts. */
  #forget(hostId: HostId): void {
    this.#world.holdings.deleteHost(hostId);
    for (const { actor } of this.#tasks.values()) actor.lose(hostId);
    for (const resource of this.#resources.values()) resource.lose(hostId);
  }

  // --- tasks ---

  #task(taskId: TaskId): { readonly actor: TaskActor; readonly ready: Promise<void> | undefined } {
    const known = this.#tasks.get(taskId);
    if (known && !known.actor.ended) return known;
    const actor = new TaskActor(this.#world, this.#log, taskId);
    const created = this.#created.get(taskId);
    const row = { actor, ready: created ? this.#recover(actor, created) : undefined };
    if (created === undefined) actor.recover(undefined, []);
    this.#tasks.set(taskId, row);
    return row;
  }

  /** A task that the log knows waits for its hashes before its first sync is answered. */
  async #recover(actor: TaskActor, created: LogCreated): Promise<void> {
    const hashes = await this.#log.readManifest(created.taskId).catch(() => []);
    actor.recover(created, hashes);
    this.#tasks.set(actor.taskId, { actor, ready: undefined });
  }

  #sync(
    tokens: { partition: string; taskId: string; hostId: string },
    request: SyncRequest,
  ): SyncReply | Promise<SyncReply> {
    const hostId = asHost(tokens.hostId);
    const taskId = asTask(tokens.taskId);
    if (String(partitionOf(taskId)) !== tokens.partition) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the partition is not the task’s');
    }
    let task = this.#task(taskId);
    if (task.actor.revivedBy(request)) {
      task.actor.remove();
      this.#created.delete(taskId);
      task = this.#task(taskId);
    }
    const answer = () => {
      const startedMs = this.#world.clock.now();
      const reply = task.actor.sync(hostId, request);
      this.#world.metrics.synced(this.#world.clock.now() - startedMs);
      return reply;
    };
    return task.ready === undefined ? answer() : task.ready.then(answer);
  }

  #resolve(
    tokens: { partition: string; resourceId: string; hostId: string },
    request: ResolveRequest,
  ): ResolveReply {
    const hostId = asHost(tokens.hostId);
    if (!isResourceId(tokens.resourceId) || String(partitionOf(tokens.resourceId)) !== tokens.partition) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the resource id or its partition is not valid');
    }
    let resource = this.#resources.get(tokens.resourceId);
    if (resource === undefined) {
      resource = new Resource();
      this.#resources.set(tokens.resourceId, resource);
    }
    const reply = resource.resolve(hostId, request, this.#world.clock.now(), this.#world.clock.wall());
    if (request.outcome?.kind === 'found') {
      const { taskId, probed, readingBytes } = request.outcome;
      const source = { url: request.url, credentials: request.credentials };
      const { actor, ready } = this.#task(taskId);
      const tell = () => actor.resolved(hostId, source, probed, readingBytes);
      if (ready !== undefined) void ready.then(tell);
      else tell();
    }
    return reply;
  }

  // --- queries ---

  #query(noun: string, query: Query): unknown {
    if (noun === 'host') return { hosts: this.#hostRows() };
    if (noun !== 'task') throw new ShoalError('ERR_BUS_MESSAGE_INVALID', `no such noun: ${noun}`);
    if (query.op === 'list') return { tasks: this.#taskRows() };
    if (query.taskId === undefined) throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'no task named');
    return query.op === 'show' ? this.#show(query.taskId) : this.#remove(query.taskId);
  }

  #hostRows() {
    const now = this.#world.clock.now();
    return [...this.#world.hosts.rows()].map(({ hostId, alive, heardMs }) => ({
      hostId,
      ip: alive.ip,
      port: alive.port,
      role: alive.role,
      zone: alive.zone,
      version: alive.version,
      aliveAgoMs: Math.round(now - heardMs),
      uploading: alive.uploading,
      downloading: alive.downloading,
      cachedBytes: alive.cachedBytes,
      cachedTasks: alive.cachedTasks,
    }));
  }

  /** Tasks with an actor, and tasks at rest that somebody holds. */
  #taskRows() {
    const rows = [...this.#tasks.values()].map(({ actor }) => actor.row());
    const known = new Set(rows.map(({ taskId }) => taskId));
    for (const taskId of this.#world.holdings.tasks())
      if (!known.has(taskId)) rows.push(this.#restingRow(taskId));
    return rows.slice(0, 1_000);
  }

  #restingRow(taskId: TaskId): ReturnType<TaskActor['row']> {
    const created = this.#created.get(taskId);
    let holders = 0;
    for (const [, holding] of this.#world.holdings.hosts(taskId)) if (holding === 'complete') holders += 1;
    return {
      taskId,
      state: 'idle',
      length: created?.length,
      pieceLength: created?.pieceLength,
      sources: created?.sources.map(({ url }) => url) ?? [],
      holders,
      fetching: 0,
      audience: created?.audience ?? 'public',
    };
  }

  #show(taskId: TaskId): unknown {
    const task = this.#tasks.get(taskId)?.actor;
    if (task) {
      const { error } = task;
      return {
        task: {
          ...task.row(),
          peers: task.peers(),
          originReasons: task.originReasons,
          error: error && { code: error.code, message: error.message },
        },
      };
    }
    const holders = [...this.#world.holdings.hosts(taskId)];
    if (holders.length === 0 && !this.#created.has(taskId)) return {};
    const none = { origin: 0, peers: 0, local: 0 };
    const peers = holders.map(([hostId, holding]) => ({
      hostId,
      have: 0,
      pieces: 0,
      bytes: none,
      state: holding === 'complete' ? 'complete' : 'resting',
    }));
    return { task: { ...this.#restingRow(taskId), peers } };
  }

  /** Every holder is told to drop the task. */
  #remove(taskId: TaskId): unknown {
    const hosts = new Set<HostId>([...this.#world.holdings.hosts(taskId)].map(([hostId]) => hostId));
    const task = this.#tasks.get(taskId)?.actor;
    for (const { hostId } of task?.peers() ?? []) hosts.add(hostId);
    for (const hostId of hosts) {
      this.#world.bus.publish(SUBJECTS.evict, { hostId }, { taskId, reason: 'removed by request' });
    }
    task?.remove();
    this.#tasks.delete(taskId);
    this.#created.delete(taskId);
    return { hosts: hosts.size };
  }

  // --- time ---

  #tick(): void {
    const { clock, hosts, slots, metrics, bus, emit, log } = this.#world;
    const now = clock.now();
    for (const { hostId } of hosts.sweep(now)) {
      log.info({ hostId }, 'host lost');
      emit('host.lost', hostId, { hostId });
      this.#forget(hostId);
      slots.forget(hostId);
    }
    for (const [taskId, { actor }] of this.#tasks) {
      actor.tick(now);
      if (actor.ended) this.#tasks.delete(taskId);
    }
    this.#ticks += 1;
    if (this.#ticks % 2 === 0) this.#sayAlive();
    if (this.#ticks % 120 === 0) this.#forgetResources(now);
    metrics.known(this.#tasks.size, hosts.size);
    metrics.busState(bus.state);
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  #sayAlive(): void {
    const { bus, schedulerId, epoch, hosts } = this.#world;
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    const message = { epoch, partitions, tasks: this.#tasks.size, hosts: hosts.size, version: '1' };
    bus.publish(SUBJECTS.schedulerAlive, { schedulerId }, message);
  }

  #forgetResources(now: number): void {
    for (const [resourceId, resource] of this.#resources) {
      if (resource.isIdle(now)) this.#resources.delete(resourceId);
    }
  }

  /** Stops answering. */
  stop(): void {
    this.#cancelTick?.();
    for (const subscription of this.#subscriptions) subscription.close();
  }

  get size(): { readonly tasks: number; readonly hosts: number } {
    return { tasks: this.#tasks.size, hosts: this.#world.hosts.size };
  }
}

function asHost(token: string): HostId {
  if (isHostId(token)) return token;
  throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the subject names no host');
}

function asTask(token: string): TaskId {
  if (isTaskId(token)) return token;
  throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the subject names no task');
}
