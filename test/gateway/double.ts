import { PagedList } from '../../actors/scheduler/pages.ts';
import { ShoalError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { Query } from '../../core/query-messages.ts';
import { fitsHost, fitsTask } from '../../core/row-filter.ts';
import type { HostRow, TaskDetail, TaskRow } from '../../core/swarm-rows.ts';
import type { Bus } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { hostId } from '../scheduling/world.ts';

/** A task of the double: the place in the order of ids is the number. */
export const taskAt = (index: number) => `url-${index.toString(16).padStart(64, '0')}` as TaskId;

/** What the double knows. */
export interface Known {
  readonly tasks: number;
  readonly hosts: number;
  /** How many hosts hold a task. */
  readonly holders?: number;
  /** Tasks beside the numbered ones, by id: each is held by `holders` hosts. */
  readonly named?: readonly TaskId[];
}

/** The row of a numbered or named task. */
function taskRow(taskId: TaskId, holders: number): TaskRow {
  const number = Number.parseInt(taskId.slice(-8), 16);
  const repository = number % 2 === 0 ? 'library/alpine' : 'team/app';
  return {
    taskId,
    state: number % 10 === 0 ? 'distributing' : 'idle',
    length: 1_000 + number,
    pieceLength: 131_072,
    sources: [`https://registry.example.org/v2/${repository}/blobs/${number}`],
    holders,
    fetching: 0,
    audience: 'public',
  };
}

function hostRow(index: number): HostRow {
  return {
    hostId: hostId(index),
    ip: `10.0.${Math.floor(index / 250)}.${index % 250}`,
    port: 7400,
    role: index % 100 === 0 ? 'seed' : 'normal',
    zone: `rack${index % 20}`,
    labels: { disk: index % 2 === 0 ? 'ssd' : 'hdd' },
    version: '0.1.0',
    aliveAgoMs: 300,
    uploading: 0,
    downloading: 0,
    cachedBytes: 1_000_000,
    cachedTasks: 12,
  };
}

function peerRow(id: string): TaskDetail['peers'][number] {
  return {
    hostId: id,
    have: 4,
    pieces: 4,
    bytes: { origin: 0, peers: 1_000, local: 0 },
    originReasons: {},
    state: 'complete',
  };
}

/** Answers as one scheduler of a swarm of that size does, with the lists that ship; `removed` are what it was told. */
export function schedulerDouble(bus: Bus, { tasks, hosts, holders = 3, named = [] }: Known) {
  const ids = [...Array.from({ length: tasks }, (_, index) => taskAt(index)), ...named];
  const known = new Set<string>(ids);
  const hostIds = Array.from({ length: hosts }, (_, index) => hostId(index));
  const rows = new Map(hostIds.map((id, index) => [id as string, hostRow(index)]));
  const taskList = new PagedList(
    () => ids,
    (id) => taskRow(id, holders),
  );
  const hostList = new PagedList(
    () => hostIds as string[],
    (id) => rows.get(id),
  );
  const peerList = new PagedList(() => hostIds.slice(0, holders) as string[], peerRow);
  const removed: string[] = [];
  const answer = (noun: string, query: Query): unknown => {
    const now = performance.now();
    if (noun === 'host') {
      const { hosts: wanted } = query;
      const page = hostList.page(query, now, wanted && ((row) => fitsHost(row, wanted)));
      return { hosts: page.rows, next: page.next };
    }
    if (query.op === 'list') {
      const { tasks: wanted } = query;
      const page = taskList.page(query, now, wanted && ((row) => fitsTask(row, wanted)));
      return { tasks: page.rows, next: page.next };
    }
    if (query.op === 'history') return { deliveries: [], unread: 'ERR_BUS_UNAVAILABLE' };
    const { taskId } = query;
    if (taskId === undefined) throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'no task named');
    if (!known.has(taskId)) return {};
    const page = peerList.page(query, now);
    return { task: { ...taskRow(taskId, holders), peers: page.rows, originReasons: {} }, next: page.next };
  };
  bus.serve(SUBJECTS.query, {}, (query, { noun }) => answer(noun, query));
  bus.serve(SUBJECTS.remove, {}, (_, { taskId }) => {
    removed.push(taskId);
    return { hosts: known.has(taskId) ? holders : 0, known: known.has(taskId) };
  });
  return { removed };
}
