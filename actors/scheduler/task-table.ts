import { ShoalError, toShoalError } from '../../core/errors.ts';
import { type HostId, partitionOf, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { LogCreated } from '../../core/log-messages.ts';
import { LoggedUrls } from './logged-urls.ts';
import { TaskActor } from './task/task.ts';
import { TaskLog } from './task-log.ts';
import { TaskQuota } from './task-quota.ts';
import type { GroupWorld, SchedulerWorld } from './world.ts';

interface TaskEntry {
  readonly actor: TaskActor;
  /** Resolves when the actor knows the hashes of the log; absent: it does. */
  readonly ready: Promise<void> | undefined;
}

interface Tenure {
  readonly world: SchedulerWorld;
  /** The first reading of the log, while it lasts. */
  reading: Promise<void> | undefined;
}

interface TaskTableOptions {
  readonly world: GroupWorld;
  /** The log tells of an owner of the partition. */
  readonly onEpoch: (partition: number, epoch: number) => void;
  /** Tasks with an actor at once; LIMITS.tasksAtWork unless given. */
  readonly most?: number;
}

/** The tasks of the partitions that a scheduler owns: those with an actor, and those that the log or a holder told of. */
export class TaskTable {
  readonly #options: TaskTableOptions;
  readonly #log: TaskLog;
  readonly #tenures = new Map<number, Tenure>();
  readonly #entries = new Map<TaskId, TaskEntry>();
  readonly #created = new Map<TaskId, LogCreated>();
  /** What holders alone told of tasks, for as long as one holds them. */
  readonly #heard = new Map<TaskId, LogCreated>();
  /** What the URLs in the partitions pointed to before. */
  readonly urls = new LoggedUrls();
  readonly #work = new TaskQuota();

  constructor(options: TaskTableOptions) {
    this.#options = options;
    this.#log = new TaskLog(options.world);
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Takes up partitions, and reads the log of those before, which is waited for before a host is believed anything, but
   * not for long.
   */
  begin(worlds: ReadonlyMap<number, SchedulerWorld>): void {
    const { clock } = this.#options.world;
    const late = new Promise<void>((resolve) => clock.after(LIMITS.censusMs, resolve));
    const reading = Promise.race([this.readLog([...worlds.keys()]), late]);
    for (const [partition, world] of worlds) {
      const tenure: Tenure = { world, reading };
      this.#tenures.set(partition, tenure);
      void reading.finally(() => {
        tenure.reading = undefined;
      });
    }
  }

  /** Others own the partitions: nothing of them is kept, written or said here. */
  end(partitions: ReadonlySet<number>): void {
    for (const partition of partitions) this.#tenures.delete(partition);
    this.urls.forget(partitions);
    const isOf = (taskId: TaskId) => partitions.has(partitionOf(taskId));
    for (const [taskId, { actor }] of this.#entries) {
      if (!isOf(taskId)) continue;
      actor.cede();
      this.#end(taskId);
    }
    for (const told of [this.#created, this.#heard]) {
      for (const taskId of told.keys()) if (isOf(taskId)) told.delete(taskId);
    }
    this.#options.world.holdings.forget(isOf);
  }

  /** Resolves when the log of a partition was read, or is not waited for any more; absent: it was. */
  reading(partition: number): Promise<void> | undefined {
    return this.#tenures.get(partition)?.reading;
  }

  /** Learns from the log which tasks there are in partitions; goes on without where it cannot be read. */
  async readLog(partitions: readonly number[]): Promise<void> {
    const { onEpoch, world } = this.#options;
    const wanted = new Set(partitions);
    try {
      const entries = await this.#log.readCreated();
      let tasks = 0;
      for (const entry of entries) {
        this.urls.learn(entry, (each) => wanted.has(each) && this.#tenures.has(each));
        const partition = partitionOf(entry.taskId);
        if (!wanted.has(partition)) continue;
        tasks += 1;
        onEpoch(partition, entry.epoch);
        if (this.#tenures.has(partition) && !this.#created.has(entry.taskId)) {
          this.#created.set(entry.taskId, entry);
        }
      }
      world.log.info({ tasks }, 'task log read');
    } catch (error) {
      world.log.warn({ code: toShoalError(error).code }, 'the task log cannot be read; going on without');
    }
  }

  /** Learns of a task that the log may have lost from a host that holds of it. */
  heard({ taskId, length, pieceLength, audience }: Omit<LogCreated, 'epoch' | 'sources' | 'atMs'>): void {
    const { clock, holdings } = this.#options.world;
    const epoch = this.#tenures.get(partitionOf(taskId))?.world.epoch;
    if (length === undefined || pieceLength === undefined || epoch === undefined) return;
    if (this.created(taskId) !== undefined || !holdings.has(taskId)) return;
    const atMs = clock.wall();
    this.#heard.set(taskId, { epoch, taskId, length, pieceLength, sources: [], audience, atMs });
  }

  /** What was told of a task outside its syncs. */
  created(taskId: TaskId): LogCreated | undefined {
    return this.#created.get(taskId) ?? this.#heard.get(taskId);
  }

  get(taskId: TaskId): TaskActor | undefined {
    return this.#entries.get(taskId)?.actor;
  }

  /** All, or those of one partition. */
  *actors(partition?: number): IterableIterator<TaskActor> {
    for (const [taskId, { actor }] of this.#entries) {
      if (partition === undefined || partitionOf(taskId) === partition) yield actor;
    }
  }

  /**
   * The task with its actor, begun where there is none, for a host that wants of it, and claims that many pieces.
   * @throws ERR_SCHED_BUSY where the host has too many, or all together; ERR_BUS_UNAVAILABLE where another owns it
   */
  open(taskId: TaskId, hostId: HostId, pieces: number, wants = true): TaskEntry {
    const tenure = this.#tenures.get(partitionOf(taskId));
    if (tenure === undefined)
      throw new ShoalError('ERR_BUS_UNAVAILABLE', 'another scheduler owns the partition');
    if (this.get(taskId)?.ended === true) this.#end(taskId);
    const entry = this.#entries.get(taskId);
    const known = entry?.actor.pieces ?? 0;
    // How content is cut is said once.
    const claim = { pieces: entry?.actor.isCut === true ? known : pieces, known, wants };
    this.#work.take(hostId, taskId, claim, (other) => this.#endResting(other));
    if (entry !== undefined) return entry;
    const end = (other: TaskId) => this.#end(other);
    const { most = LIMITS.tasksAtWork } = this.#options;
    if (this.#entries.size >= most && !this.#work.makeRoom(hostId, taskId, end)) {
      this.#work.ended(taskId);
      throw new ShoalError('ERR_SCHED_BUSY', 'this scheduler has as many tasks under way as it takes');
    }
    const actor = new TaskActor(tenure.world, this.#log, taskId);
    const isReady = tenure.reading === undefined && this.created(taskId) === undefined;
    const begun = { actor, ready: isReady ? undefined : this.#recover(actor, tenure) };
    if (isReady) actor.recover(undefined, []);
    this.#entries.set(taskId, begun);
    return begun;
  }

  /** A task that the log knows, or may know, waits for its hashes before its first sync is answered. */
  async #recover(actor: TaskActor, tenure: Tenure): Promise<void> {
    await tenure.reading;
    const created = this.created(actor.taskId);
    const hashes = created ? await this.#log.readManifest(created.taskId).catch(() => []) : [];
    actor.recover(created, hashes);
    if (this.get(actor.taskId) === actor) this.#entries.set(actor.taskId, { actor, ready: undefined });
  }

  /** Ends a task and forgets all that was told of it. */
  remove(taskId: TaskId): void {
    this.#end(taskId);
    this.#created.delete(taskId);
    this.#heard.delete(taskId);
  }

  #end(taskId: TaskId): void {
    const actor = this.get(taskId);
    if (actor?.ended === false) actor.remove();
    this.#entries.delete(taskId);
    this.#work.ended(taskId);
  }

  /** Ends a task that one host is done with, so that it can begin another; who holds it stays known. */
  #endResting(taskId: TaskId): boolean {
    if (this.get(taskId)?.isResting === false) return false;
    this.#end(taskId);
    return true;
  }

  /** A host is gone or another incarnation, and held these tasks. */
  lose(hostId: HostId, held: Iterable<TaskId>): void {
    for (const taskId of new Set([...held, ...this.#work.tasksOf(hostId)])) this.drop(taskId, hostId);
  }

  /** A host takes no part in a task any more: where only it did and nothing is known for sure, the task is over. */
  drop(taskId: TaskId, hostId: HostId): void {
    const { bus, holdings } = this.#options.world;
    const actor = this.get(taskId);
    actor?.lose(hostId);
    // While NATS is gone all hosts seem to be.
    if (actor?.isDeserted === true && bus.state === 'connected') this.#end(taskId);
    else this.#work.leave(hostId, taskId);
    if (!holdings.has(taskId)) this.#heard.delete(taskId);
  }

  /** Whether what is said of the task is for this scheduler. */
  owns(taskId: TaskId): boolean {
    return this.#tenures.has(partitionOf(taskId));
  }

  /** Returns how many peers want pieces. */
  tick(nowMs: number): number {
    let wanting = 0;
    for (const [taskId, { actor }] of this.#entries) {
      actor.tick(nowMs);
      if (actor.ended) this.#end(taskId);
      else wanting += actor.wanting;
    }
    return wanting;
  }
}
