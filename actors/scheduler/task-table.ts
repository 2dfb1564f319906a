import { toShoalError } from '../../core/errors.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { LogCreated } from '../../core/log-messages.ts';
import { TaskActor } from './task/task.ts';
import { TaskLog } from './task-log.ts';
import type { SchedulerWorld } from './world.ts';

interface TaskEntry {
  readonly actor: TaskActor;
  /** Resolves when the actor knows the hashes of the log; absent: it does. */
  readonly ready: Promise<void> | undefined;
}

/** The tasks a scheduler knows: those with an actor, and those that the log or a holder told of. */
export class TaskTable {
  readonly #world: SchedulerWorld;
  readonly #log: TaskLog;
  readonly #entries = new Map<TaskId, TaskEntry>();
  readonly #created = new Map<TaskId, LogCreated>();
  /** The first reading of the log, while it lasts. */
  #reading: Promise<void> | undefined;

  constructor(world: SchedulerWorld) {
    this.#world = world;
    this.#log = new TaskLog(world);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Reads the log of those before, which is waited for before a host is believed anything, but not for long. */
  begin(): void {
    const { clock } = this.#world;
    const late = new Promise<void>((resolve) => clock.after(LIMITS.censusMs, resolve));
    this.#reading = Promise.race([this.readLog(), late]).finally(() => {
      this.#reading = undefined;
    });
  }

  /** Learns from the log which tasks there are; goes on without where it cannot be read. */
  async readLog(): Promise<void> {
    const { log, epoch } = this.#world;
    try {
      const entries = await this.#log.readCreated();
      for (const entry of entries)
        if (!this.#created.has(entry.taskId)) this.#created.set(entry.taskId, entry);
      log.info({ tasks: entries.length, epoch }, 'task log read');
    } catch (error) {
      log.warn({ code: toShoalError(error).code }, 'the task log cannot be read; going on without');
    }
  }

  /** Learns of a task that the log may have lost from a host that holds of it. */
  heard({ taskId, length, pieceLength, audience }: Omit<LogCreated, 'epoch' | 'sources' | 'atMs'>): void {
    if (this.#created.has(taskId) || length === undefined || pieceLength === undefined) return;
    const { epoch, clock } = this.#world;
    const atMs = clock.wall();
    this.#created.set(taskId, { epoch, taskId, length, pieceLength, sources: [], audience, atMs });
  }

  /** What was told of a task outside its syncs. */
  created(taskId: TaskId): LogCreated | undefined {
    return this.#created.get(taskId);
  }

  get(taskId: TaskId): TaskActor | undefined {
    return this.#entries.get(taskId)?.actor;
  }

  *actors(): IterableIterator<TaskActor> {
    for (const { actor } of this.#entries.values()) yield actor;
  }

  /** The task with its actor, begun where there is none. */
  open(taskId: TaskId): TaskEntry {
    const known = this.#entries.get(taskId);
    if (known && !known.actor.ended) return known;
    const actor = new TaskActor(this.#world, this.#log, taskId);
    const isReady = this.#reading === undefined && !this.#created.has(taskId);
    const entry = { actor, ready: isReady ? undefined : this.#recover(actor) };
    if (isReady) actor.recover(undefined, []);
    this.#entries.set(taskId, entry);
    return entry;
  }

  /** A task that the log knows, or may know, waits for its hashes before its first sync is answered. */
  async #recover(actor: TaskActor): Promise<void> {
    await this.#reading;
    const created = this.#created.get(actor.taskId);
    const hashes = created ? await this.#log.readManifest(created.taskId).catch(() => []) : [];
    actor.recover(created, hashes);
    if (this.get(actor.taskId) === actor) this.#entries.set(actor.taskId, { actor, ready: undefined });
  }

  /** Ends a task and forgets all that was told of it. */
  remove(taskId: TaskId): void {
    this.get(taskId)?.remove();
    this.#entries.delete(taskId);
    this.#created.delete(taskId);
  }

  /** A host is gone or another incarnation. */
  lose(hostId: HostId): void {
    for (const { actor } of this.#entries.values()) actor.lose(hostId);
  }

  tick(nowMs: number): void {
    for (const [taskId, { actor }] of this.#entries) {
      actor.tick(nowMs);
      if (actor.ended) this.#entries.delete(taskId);
    }
  }
}
