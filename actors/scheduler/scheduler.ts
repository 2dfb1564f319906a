import type { Cancel } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import type { Alive, AnnounceReply, AnnounceRequest, Holds } from '../../core/host-messages.ts';
import { type HostId, isHostId, isTaskId, parseTaskId, partitionOf, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { SyncReply, SyncRequest } from '../../core/sync-messages.ts';
import { upShare } from '../../scheduling/slots.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { Attention } from './attention.ts';
import { Backlog } from './backlog.ts';
import { claimedPieces } from './claimed-pieces.ts';
import { SchedulerGroup } from './group/group.ts';
import { HostQuota } from './host-quota.ts';
import { SchedulerJobs } from './job/jobs.ts';
import { SchedulerQuery } from './query.ts';
import { ResourceTable } from './resource-table.ts';
import { ServedPartitions } from './served-partitions.ts';
import { SyncLoad } from './sync-load.ts';
import { TaskTable } from './task-table.ts';
import { Untold } from './untold.ts';
import { asHost, UrlAnswers, unowned } from './url-answers.ts';
import type { GroupWorld } from './world.ts';

const TICK_MS = 500;
/** How often it is asked how old what is unread is. */
const ECHO_MS = 100;
/** Within so many ms for each host a census is answered. */
const CENSUS_PER_HOST_MS = 0.25;
const QUEUE = 'scheduler';

/** One scheduler: routes what hosts say to the actors of its tasks, and keeps the table of hosts. */
export class SchedulerActor {
  readonly #world: GroupWorld;
  readonly #group: SchedulerGroup;
  readonly #served: ServedPartitions;
  readonly #tasks: TaskTable;
  readonly #query: SchedulerQuery;
  readonly #heard: HostQuota;
  readonly #jobs: SchedulerJobs;
  readonly #resources = new ResourceTable();
  readonly #urls: UrlAnswers;
  readonly #sinceMs: number;
  readonly #backlog: Backlog;
  readonly #load: SyncLoad;
  readonly #attention: Attention;
  readonly #untold = new Untold();
  #subscriptions: Subscription[] = [];
  #cancelTick: Cancel | undefined;
  #cancelEcho: Cancel | undefined;
  #ticks = 0;

  constructor(world: GroupWorld) {
    this.#world = world;
    this.#sinceMs = world.clock.wall();
    this.#backlog = new Backlog(world);
    this.#load = new SyncLoad({ clock: world.clock, backlog: this.#backlog, use: world.ownUse });
    this.#attention = new Attention(world, this.#backlog, TICK_MS);
    this.#heard = new HostQuota((hostId) => this.#dropped(hostId));
    this.#tasks = new TaskTable({
      world,
      onEpoch: (partition, epoch) => this.#group.refused(partition, epoch),
    });
    this.#served = new ServedPartitions({
      world,
      tasks: this.#tasks,
      resources: this.#resources,
      serve: (partition) => this.#serve(String(partition)),
      epochOf: (partition) => this.#group.epochOf(partition),
      intervalMs: (peers) => this.#load.intervalMs(peers),
    });
    this.#group = new SchedulerGroup({ ...world, tenures: this.#served, describe: () => this.#describe() });
    const owns = (partition: number) => this.#group.epochOf(partition) !== undefined;
    this.#jobs = new SchedulerJobs(world, owns);
    this.#urls = new UrlAnswers({ world, resources: this.#resources, tasks: this.#tasks, owns });
    this.#query = new SchedulerQuery(world, this.#tasks, () => this.#view());
  }

  start(): void {
    const { bus, schedulerId } = this.#world;
    const admit = ({ hostId }: { hostId: string }, bytes: number) => this.#admits(hostId, bytes);
    const admitAlive = ({ hostId }: { hostId: string }, bytes: number) => this.#admitsAlive(hostId, bytes);
    this.#subscriptions = [
      bus.serve(SUBJECTS.announce, {}, (request, { hostId }) => this.#announce(asHost(hostId), request), {
        queue: QUEUE,
        admit,
        isLate: ({ patienceMs }) => this.#load.isLate(patienceMs),
      }),
      bus.subscribe(
        SUBJECTS.holds,
        { to: schedulerId },
        (holds, { hostId }) => this.#holds(asHost(hostId), holds),
        { admit },
      ),
      bus.serve(SUBJECTS.query, {}, (query, { noun }) => this.#query.answer(noun, query), {
        admit: ({ sender }, bytes) => this.#admits(sender, bytes + LIMITS.queryBytes),
      }),
      bus.serve(SUBJECTS.remove, {}, (_, { taskId }) => this.#query.remove(parseTaskId(taskId))),
      bus.subscribe(SUBJECTS.alive, {}, (alive, { hostId }) => this.#alive(asHost(hostId), alive), {
        admit: admitAlive,
      }),
    ];
    this.#group.start();
    this.#listen();
    this.#jobs.start();
    this.#tick();
  }

  /** Only the owner of a partition hears what hosts say in it. */
  #serve(partition: string): Subscription[] {
    const { bus } = this.#world;
    const admit = ({ hostId }: { hostId: string }, bytes: number) => this.#admits(hostId, bytes);
    const match = { partition };
    return [
      bus.serve(SUBJECTS.sync, match, (request, tokens) => this.#sync(tokens, request), {
        admit,
        isLate: ({ patienceMs }) => this.#load.isLate(patienceMs),
      }),
      bus.serve(SUBJECTS.resolve, match, (request, tokens) => this.#urls.resolve(tokens, request), { admit }),
      bus.subscribe(SUBJECTS.originTold, match, (told, { taskId }) => this.#urls.told(asTask(taskId), told)),
      bus.subscribe(
        SUBJECTS.holds,
        { to: partition },
        (holds, { hostId }) => this.#holds(asHost(hostId), holds),
        { admit },
      ),
    ];
  }

  /** @throws ERR_BUS_UNAVAILABLE where the partition is not to be granted from here, ERR_SCHED_BUSY where it is in a moment */
  #checkOwned(partition: number): void {
    if (this.#group.epochOf(partition) !== undefined) return;
    const epoch = this.#group.lapsedEpochOf(partition);
    if (epoch === undefined) throw unowned();
    const details = { waitMs: Math.max(LIMITS.beatMs, this.#load.waitMs), epoch };
    throw new ShoalError('ERR_SCHED_BUSY', 'this scheduler renews what it owns', { details });
  }

  #describe() {
    const { size } = this.#tasks;
    const { hosts, name, version } = this.#world;
    return { name, sinceMs: this.#sinceMs, tasks: size, hosts: hosts.size, version };
  }

  #view() {
    return { schedulerId: this.#world.schedulerId, ...this.#describe(), ...this.#group.standing };
  }

  // --- hosts ---

  /** Whether a host may send a message of that size now; what is no host is told so by whoever reads it. */
  #admits(hostId: string, bytes: number): boolean {
    if (!isHostId(hostId) || this.#heard.admit(hostId, bytes, this.#world.clock.now())) return true;
    this.#world.log.warn({ hostId }, 'a host sends more than one host may; some of it is refused');
    return false;
  }

  /** A host that sends too much is still there. */
  #admitsAlive(hostId: string, bytes: number): boolean {
    if (!isHostId(hostId)) return true;
    const { hosts, clock } = this.#world;
    const nowMs = clock.now();
    const heardMs = hosts.get(hostId)?.heardMs ?? Number.NEGATIVE_INFINITY;
    const isAdmitted = this.#heard.admit(hostId, bytes, nowMs) || nowMs - heardMs >= LIMITS.aliveMs / 2;
    // That it came says the most of it.
    if (isAdmitted && this.#load.sheds('presence') && hosts.touch(hostId, nowMs)) return false;
    return isAdmitted;
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
    const { hosts, clock, schedulerKeys, mintToken } = this.#world;
    this.#alive(hostId, request);
    const tokenExpiresAtMs = clock.wall() + LIMITS.tokenMs;
    return {
      token: mintToken(hostId, request.publicKey, tokenExpiresAtMs),
      tokenExpiresAtMs,
      schedulerKeys: schedulerKeys(),
      addressBook: hosts.addressBook(hostId),
      // However many there are, one message may get lost without the host being taken for gone.
      aliveEveryMs: Math.min(Math.max(LIMITS.aliveMs, hosts.size), Math.floor((LIMITS.hostGoneMs - 500) / 2)),
      censusWithinMs: Math.ceil(CENSUS_PER_HOST_MS * hosts.size),
    };
  }

  #alive(hostId: HostId, alive: Alive): void {
    const { hosts, slots, clock, emit, log } = this.#world;
    const news = hosts.hear(hostId, alive, clock.now());
    const up = upShare(alive, slots.upUsed(hostId), this.#group.size);
    slots.setLimits(hostId, { up, down: alive.slotsDown });
    if (news === 'known') return;
    if (news === 'reborn') this.#forget(hostId);
    if (alive.cachedTasks > 0) this.#untold.came(hostId, clock.now());
    const { ip, port, role, zone } = alive;
    log.info({ hostId, ip, port, role, news }, 'host announced');
    if (!this.#group.speaksFor(hostId)) return;
    emit('host.announced', hostId, { hostId, ip, port, role, ...(zone === undefined ? {} : { zone }) });
  }

  #holds(hostId: HostId, holds: Holds): void {
    const known = this.#world.hosts.get(hostId);
    if (known !== undefined && known.alive.incarnation !== holds.incarnation) return;
    this.#untold.done(hostId);
    // The owner of the others asks for them too.
    const tasks = holds.tasks.filter(({ taskId }) => this.#tasks.owns(taskId));
    const taken = this.#world.holdings.take(hostId, { ...holds, tasks });
    const refused = tasks.length - taken.length;
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
    this.#untold.done(hostId);
    this.#heard.forget(hostId);
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
    const partition = partitionOf(taskId);
    if (String(partition) !== tokens.partition) {
      throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the partition is not the task’s');
    }
    this.#checkOwned(partition);
    if (request.fencedBy !== undefined) this.#group.refused(partition, request.fencedBy);
    this.#shed(partition, request);
    if (this.#tasks.get(taskId)?.revivedBy(hostId, request) === true) this.#tasks.remove(taskId);
    const task = this.#tasks.open(taskId, hostId, claimedPieces(request), request.wants);
    const answer = () => {
      this.#checkOwned(partition);
      const startedMs = this.#world.clock.now();
      const reply = task.actor.sync(hostId, request);
      this.#world.metrics.synced(this.#world.clock.now() - startedMs);
      this.#load.synced();
      return reply;
    };
    return task.ready === undefined ? answer() : task.ready.then(answer);
  }

  /**
   * Who says everything and has anything is part of a recovery; who starves for a piece comes next, then who begins: a crowd
   * that comes at once is let in as it can be served.
   * @throws ERR_SCHED_BUSY where there is too much to do for this now
   */
  #shed(partition: number, request: SyncRequest): void {
    const { base, urgent } = request;
    if (base === 0 && hasAny(request)) return;
    const what = urgent !== undefined ? 'starving' : base === 0 ? 'joining' : 'progress';
    if (!this.#load.sheds(what)) return;
    const details = { waitMs: this.#load.waitMs, epoch: this.#group.epochOf(partition) };
    throw new ShoalError('ERR_SCHED_BUSY', 'this scheduler has more to do than it can', { details });
  }

  // --- time ---

  #listen(): void {
    this.#backlog.ask();
    this.#cancelEcho = this.#world.clock.after(ECHO_MS, () => this.#listen());
  }

  #tick(): void {
    const { clock, hosts, metrics, bus, emit, log } = this.#world;
    const now = clock.now();
    const missedMs = this.#attention.missedMs();
    hosts.excuse(missedMs);
    for (const { hostId } of hosts.sweep(now)) {
      log.info({ hostId }, 'host lost');
      if (this.#group.speaksFor(hostId)) emit('host.lost', hostId, { hostId });
      this.#lost(hostId);
    }
    // Who never said that it is there.
    const silent = missedMs > 0 ? [] : this.#heard.silent(now, LIMITS.hostGoneMs);
    for (const hostId of silent) if (hosts.get(hostId) === undefined) this.#lost(hostId);
    for (const hostId of this.#untold.due(now)) this.#served.ask(hostId);
    this.#load.look(this.#tasks.tick(now));
    this.#ticks += 1;
    this.#jobs.tick();
    if (this.#ticks % 120 === 0) this.#resources.forgetIdle(now);
    metrics.known(this.#tasks.size, hosts.size);
    metrics.busState(bus.state);
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  /** Under which epoch it may grant what is in a partition, now. */
  epochOf(partition: number): number | undefined {
    return this.#group.epochOf(partition);
  }

  /** Whether whatever falls to this scheduler is served. */
  get isReady(): boolean {
    return this.#group.isSettled;
  }

  /** Hands over what it serves, and resolves when others have it, or there are none. */
  async leave(): Promise<void> {
    for (const actor of this.#tasks.actors()) actor.writeDown();
    await this.#group.leave();
  }

  /** Stops answering. */
  stop(): void {
    this.#cancelTick?.();
    this.#cancelEcho?.();
    this.#jobs.stop();
    this.#group.stop();
    this.#served.stop();
    for (const subscription of this.#subscriptions) subscription.close();
  }

  get size(): { readonly tasks: number; readonly hosts: number } {
    return { tasks: this.#tasks.size, hosts: this.#world.hosts.size };
  }
}

/** Whether a host has anything to tell of the content that others can use, or wants nothing of it. */
function hasAny({ have, running, probed, hashes, wants }: SyncRequest): boolean {
  if (!wants || probed !== undefined || hashes !== undefined || running.length > 0) return true;
  return have?.some((bits) => bits !== 0) === true;
}

function asTask(token: string): TaskId {
  if (isTaskId(token)) return token;
  throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the subject names no task');
}
