import type { Cancel } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import type { Alive, AnnounceReply, AnnounceRequest, Holds } from '../../core/host-messages.ts';
import {
  type HostId,
  isHostId,
  isResourceId,
  isTaskId,
  PARTITIONS,
  parseTaskId,
  partitionOf,
  type TaskId,
} from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { ResolveReply, ResolveRequest } from '../../core/resolve-messages.ts';
import type { SyncReply, SyncRequest } from '../../core/sync-messages.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { claimedPieces, probedPieces } from './claimed-pieces.ts';
import { HostQuota } from './host-quota.ts';
import { SchedulerQuery } from './query.ts';
import { ResourceTable } from './resource-table.ts';
import { TaskTable } from './task-table.ts';
import type { SchedulerWorld } from './world.ts';

const TICK_MS = 500;
const QUEUE = 'scheduler';

/** One scheduler: routes what hosts say to the actors of its tasks, and keeps the table of hosts. */
export class SchedulerActor {
  readonly #world: SchedulerWorld;
  readonly #tasks: TaskTable;
  readonly #query: SchedulerQuery;
  readonly #work: HostQuota;
  readonly #resources = new ResourceTable();
  #subscriptions: Subscription[] = [];
  #cancelTick: Cancel | undefined;
  #cancelRecovery: Cancel | undefined;
  #ticks = 0;

  constructor(world: SchedulerWorld) {
    this.#world = world;
    this.#work = new HostQuota((hostId) => this.#dropped(hostId));
    this.#tasks = new TaskTable(world, this.#work);
    this.#query = new SchedulerQuery(world, this.#tasks);
  }

  start(): void {
    const { bus } = this.#world;
    const admit = ({ hostId }: { hostId: string }, bytes: number) => this.#admits(hostId, bytes);
    const admitAlive = ({ hostId }: { hostId: string }, bytes: number) => this.#admitsAlive(hostId, bytes);
    const queue = { queue: QUEUE, admit: admitAlive };
    this.#subscriptions = [
      bus.serve(
        SUBJECTS.announce,
        {},
        (request, { hostId }) => this.#announce(asHost(hostId), request),
        queue,
      ),
      bus.serve(SUBJECTS.sync, {}, (request, tokens) => this.#sync(tokens, request), { admit }),
      bus.serve(SUBJECTS.resolve, {}, (request, tokens) => this.#resolve(tokens, request), { admit }),
      bus.serve(SUBJECTS.query, {}, (query, { noun }) => this.#query.answer(noun, query)),
      bus.serve(SUBJECTS.remove, {}, (_, { taskId }) => this.#query.remove(parseTaskId(taskId))),
      bus.subscribe(SUBJECTS.alive, {}, (alive, { hostId }) => this.#alive(asHost(hostId), alive), {
        admit: admitAlive,
      }),
      bus.subscribe(SUBJECTS.holds, {}, (holds, { hostId }) => this.#holds(asHost(hostId), holds), {
        admit,
      }),
      bus.onState((state) => {
        if (state === 'connected') this.#returned();
      }),
    ];
    this.#tasks.begin();
    if (bus.state === 'connected') this.#sayCensus();
    this.#awaitRecovery();
    this.#tick();
  }

  /** Hosts were lost meanwhile that were not gone: nothing is leased from the origin before they are heard again. */
  #returned(): void {
    this.#world.recoveredAtMs = this.#world.clock.now() + LIMITS.censusMs;
    this.#awaitRecovery();
    this.#sayCensus();
    void this.#tasks.readLog();
  }

  /** Hosts that wait for a lease of the origin are not left to ask again. */
  #awaitRecovery(): void {
    const { clock, recoveredAtMs } = this.#world;
    this.#cancelRecovery?.();
    this.#cancelRecovery = clock.after(Math.max(0, recoveredAtMs - clock.now()), () => {
      for (const actor of this.#tasks.actors()) actor.recovered();
    });
  }

  /** Asks every host what it holds. */
  #sayCensus(): void {
    const { bus, epoch, schedulerKeys } = this.#world;
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    bus.publish(SUBJECTS.census, {}, { epoch, partitions, schedulerKeys: schedulerKeys() });
  }

  // --- hosts ---

  /** Whether a host may send a message of that size now; what is no host is told so by whoever reads it. */
  #admits(hostId: string, bytes: number): boolean {
    if (!isHostId(hostId) || this.#work.admit(hostId, bytes, this.#world.clock.now())) return true;
    this.#world.log.warn({ hostId }, 'a host sends more than one host may; some of it is refused');
    return false;
  }

  /** A host that sends too much is still there. */
  #admitsAlive(hostId: string, bytes: number): boolean {
    if (!isHostId(hostId)) return true;
    const { hosts, clock } = this.#world;
    const nowMs = clock.now();
    const heardMs = hosts.get(hostId)?.heardMs ?? Number.NEGATIVE_INFINITY;
    return this.#work.admit(hostId, bytes, nowMs) || nowMs - heardMs >= LIMITS.aliveMs / 2;
  }

  /** There are more hosts than there can be: whoever makes them up is not to cost more than that. */
  #dropped(hostId: HostId): void {
    this.#world.log.warn(
      { most: LIMITS.hostsKnown },
      'more hosts than a scheduler keeps account of: one heard least is dropped',
    );
    this.#lost(hostId);
  }

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
      // However many there are, one message may get lost without the host being taken for gone.
      aliveEveryMs: Math.min(Math.max(LIMITS.aliveMs, hosts.size), Math.floor((LIMITS.hostGoneMs - 500) / 2)),
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
    const taken = this.#world.holdings.take(hostId, holds);
    const refused = holds.tasks.length - taken.length;
    if (refused > 0) this.#world.log.warn({ hostId, refused }, 'a host holds more tasks than are counted');
    for (const row of taken) {
      this.#tasks.get(row.taskId)?.hold(hostId, row.have ?? 'complete');
      this.#tasks.heard(row);
    }
    for (const taskId of holds.gone) this.#tasks.drop(taskId, hostId);
  }

  /** A host that is gone for good, as far as is known here. */
  #lost(hostId: HostId): void {
    const { hosts, slots } = this.#world;
    hosts.remove(hostId);
    this.#forget(hostId);
    this.#work.forget(hostId);
    slots.forget(hostId);
  }

  /** A host is gone or another incarnation: nothing it held or fetched counts. */
  #forget(hostId: HostId): void {
    const { holdings } = this.#world;
    const held = [...holdings.tasksOf(hostId)];
    holdings.deleteHost(hostId);
    this.#tasks.lose(hostId, held);
    this.#resources.lose(hostId);
  }

  // --- tasks ---

  #sync(
    tokens: { partition: string; taskId: string; hostId: string },
    request: SyncRequest,
  ): SyncReply | Promise<SyncReply> {
    const hostId = asHost(tokens.hostId);
    const taskId = asTask(tokens.taskId);
    if (String(partitionOf(taskId)) !== tokens.partition) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the partition is not the task’s');
    }
    if (this.#tasks.get(taskId)?.revivedBy(hostId, request) === true) this.#tasks.remove(taskId);
    const task = this.#tasks.open(taskId, hostId, claimedPieces(request), request.wants);
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
    const resource = this.#resources.open(tokens.resourceId, hostId);
    const wasAsked = resource.isAsking(hostId, request.ask);
    const reply = resource.resolve(hostId, request, this.#world.clock.now(), this.#world.clock.wall());
    if (request.outcome?.kind === 'found') {
      const { taskId, probed, readingBytes } = request.outcome;
      const source = { url: request.url, credentials: request.credentials };
      const task = this.#tryOpen(taskId, hostId, probedPieces(probed));
      if (task === undefined) return reply;
      const { actor, ready } = task;
      const tell = () => actor.resolved(hostId, source, probed, readingBytes, wasAsked);
      if (ready !== undefined) void ready.then(tell);
      else tell();
    }
    return reply;
  }

  /** What a URL points to is told also to a host that has too much at work: it hears so when it syncs. */
  #tryOpen(taskId: TaskId, hostId: HostId, pieces: number) {
    try {
      return this.#tasks.open(taskId, hostId, pieces);
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'ERR_SCHED_BUSY') return undefined;
      throw error;
    }
  }

  // --- time ---

  #tick(): void {
    const { clock, hosts, metrics, bus, emit, log } = this.#world;
    const now = clock.now();
    for (const { hostId } of hosts.sweep(now)) {
      log.info({ hostId }, 'host lost');
      emit('host.lost', hostId, { hostId });
      this.#lost(hostId);
    }
    // Who never said that it is there.
    for (const hostId of this.#work.silent(now, LIMITS.hostGoneMs)) this.#lost(hostId);
    this.#tasks.tick(now);
    this.#ticks += 1;
    if (this.#ticks % 2 === 0) this.#sayAlive();
    if (this.#ticks % 120 === 0) this.#resources.forgetIdle(now);
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

  /** Stops answering. */
  stop(): void {
    this.#cancelTick?.();
    this.#cancelRecovery?.();
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
