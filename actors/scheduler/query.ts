import { ShoalError } from '../../core/errors.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { Query, RemoveReply } from '../../core/query-messages.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { TaskRow } from './task/view.ts';

import type { TaskTable } from './task-table.ts';
import type { SchedulerWorld } from './world.ts';

/** What a scheduler answers to the command line. */
export class SchedulerQuery {
  readonly #world: SchedulerWorld;
  readonly #tasks: TaskTable;

  constructor(world: SchedulerWorld, tasks: TaskTable) {
    this.#world = world;
    this.#tasks = tasks;
  }

  /** @throws ERR_BUS_MESSAGE_INVALID */
  answer(noun: string, query: Query): unknown {
    if (noun === 'host') return { hosts: this.#hostRows() };
    if (noun !== 'task') throw new ShoalError('ERR_BUS_MESSAGE_INVALID', `no such noun: ${noun}`);
    if (query.op === 'list') return { tasks: this.#taskRows() };
    if (query.taskId === undefined) throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'no task named');
    return this.#show(query.taskId);
  }

  #hostRows() {
    const now = this.#world.clock.now();
    return [...this.#world.hosts.rows()].map(({ hostId, alive, heardMs }) => ({
      hostId,
      ip: alive.ip,
      port: alive.port,
      role: alive.role,
      zone: alive.zone,
      labels: alive.labels,
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
    const rows = Array.from(this.#tasks.actors(), (task) => task.row());
    const known = new Set(rows.map(({ taskId }) => taskId));
    for (const taskId of this.#world.holdings.tasks())
      if (!known.has(taskId)) rows.push(this.#restingRow(taskId));
    return rows.slice(0, 1_000);
  }

  #restingRow(taskId: TaskId): TaskRow {
    const created = this.#tasks.created(taskId);
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
    const task = this.#tasks.get(taskId);
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
    if (holders.length === 0 && this.#tasks.created(taskId) === undefined) return {};
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

  /** Tells every holder to drop the task. */
  remove(taskId: TaskId): RemoveReply {
    const hosts = new Set<HostId>([...this.#world.holdings.hosts(taskId)].map(([hostId]) => hostId));
    const task = this.#tasks.get(taskId);
    const known = hosts.size > 0 || task !== undefined || this.#tasks.created(taskId) !== undefined;
    for (const { hostId } of task?.peers() ?? []) hosts.add(hostId);
    for (const hostId of hosts) {
      this.#world.bus.publish(SUBJECTS.evict, { hostId }, { taskId, reason: 'removed by request' });
    }
    this.#tasks.remove(taskId);
    return { hosts: hosts.size, known };
  }
}
