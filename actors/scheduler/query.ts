import { ShoalError } from '../../core/errors.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { Query, RemoveReply } from '../../core/query-messages.ts';
import { fitsHost, fitsTask } from '../../core/row-filter.ts';
import type { HostRow } from '../../core/swarm-rows.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { type Page, PagedList } from './pages.ts';
import type { TaskView } from './task/view.ts';
import { TaskHistories } from './task-history.ts';
import type { TaskTable } from './task-table.ts';
import type { GroupWorld } from './world.ts';

/** What a scheduler answers to the command line; lists, and the hosts of a task, by the page. */
export class SchedulerQuery {
  readonly #world: GroupWorld;
  readonly #tasks: TaskTable;
  readonly #histories: TaskHistories;
  readonly #hostList;
  readonly #taskList;

  readonly #standing: () => unknown;

  /** @param standing what this scheduler says of itself */
  constructor(world: GroupWorld, tasks: TaskTable, standing: () => unknown) {
    this.#world = world;
    this.#standing = standing;
    this.#tasks = tasks;
    this.#histories = new TaskHistories(world);
    this.#hostList = new PagedList(
      () => world.hosts.ids(),
      (hostId) => this.#hostRow(hostId),
    );
    this.#taskList = new PagedList(
      () => this.#taskIds(),
      (taskId) => this.#taskRow(taskId),
    );
  }

  /** @throws ERR_BUS_MESSAGE_INVALID */
  answer(noun: string, query: Query): unknown {
    const nowMs = this.#world.clock.now();
    if (noun === 'host') {
      const { hosts: wanted } = query;
      const fits = wanted && ((row: HostRow) => fitsHost(row, wanted));
      const { rows, next } = this.#hostList.page(query, nowMs, fits);
      return { hosts: rows, next };
    }
    if (noun === 'scheduler') return { schedulers: [this.#standing()] };
    if (noun !== 'task') throw new ShoalError('ERR_BUS_MESSAGE_INVALID', `no such noun: ${noun}`);
    if (query.op === 'list') {
      const { tasks: wanted } = query;
      const fits = wanted && ((row: TaskView) => fitsTask(row, wanted));
      const { rows, next } = this.#taskList.page(query, nowMs, fits);
      return { tasks: rows, next };
    }
    if (query.taskId === undefined) throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'no task named');
    if (query.op === 'history') return this.#histories.answer(query.taskId, query);
    return this.#show(query.taskId, query);
  }

  #hostRow(hostId: HostId): HostRow | undefined {
    const row = this.#world.hosts.get(hostId);
    if (row === undefined) return undefined;
    const { alive, heardMs } = row;
    return {
      hostId,
      name: alive.name,
      ip: alive.ip,
      port: alive.port,
      role: alive.role,
      zone: alive.zone,
      labels: alive.labels,
      version: alive.version,
      aliveAgoMs: Math.round(this.#world.clock.now() - heardMs),
      uploading: alive.uploading,
      downloading: alive.downloading,
      cachedBytes: alive.cachedBytes,
      cachedTasks: alive.cachedTasks,
    };
  }

  /** Tasks with an actor, and tasks at rest that somebody holds. */
  *#taskIds(): Generator<TaskId> {
    for (const { taskId } of this.#tasks.actors()) yield taskId;
    yield* this.#world.holdings.tasks();
  }

  #taskRow(taskId: TaskId): TaskView {
    return this.#tasks.get(taskId)?.shown.row() ?? this.#restingRow(taskId);
  }

  #restingRow(taskId: TaskId): TaskView {
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

  #show(taskId: TaskId, query: Query): unknown {
    const nowMs = this.#world.clock.now();
    const task = this.#tasks.get(taskId);
    if (task) {
      const { error } = task;
      const { rows, next } = paged(task.shown.peers(), query, nowMs, (row) => ({
        ...row,
        ...task.shown.cellsOf(row.hostId),
      }));
      return {
        task: {
          ...task.shown.row(),
          peers: rows,
          originReasons: task.shown.originReasons,
          error: error && { code: error.code, message: error.message },
        },
        next,
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
      originReasons: {},
      state: holding === 'complete' ? 'complete' : 'resting',
    }));
    const { rows, next } = paged(peers, query, nowMs, (row) => row);
    return { task: { ...this.#restingRow(taskId), peers: rows }, next };
  }

  /** Tells every holder to drop the task. */
  remove(taskId: TaskId): RemoveReply {
    const hosts = new Set<HostId>([...this.#world.holdings.hosts(taskId)].map(([hostId]) => hostId));
    const task = this.#tasks.get(taskId);
    const known = hosts.size > 0 || task !== undefined || this.#tasks.created(taskId) !== undefined;
    for (const { hostId } of task?.shown.peers() ?? []) hosts.add(hostId);
    for (const hostId of hosts) {
      this.#world.bus.publish(SUBJECTS.evict, { hostId }, { taskId, reason: 'removed by request' });
    }
    this.#tasks.remove(taskId);
    return { hosts: hosts.size, known };
  }
}

function paged<R extends { readonly hostId: HostId }, S extends object>(
  rows: readonly R[],
  query: Query,
  nowMs: number,
  shown: (row: R) => S,
): Page<S> {
  const byId = new Map(rows.map((row) => [row.hostId, row]));
  return new PagedList(
    () => byId.keys(),
    (hostId) => {
      const row = byId.get(hostId);
      return row && shown(row);
    },
  ).page(query, nowMs);
}
