import { z } from 'zod';
import { type TaskHistory, taskHistorySchema } from '../admin/control.ts';
import type { Delivery } from '../core/delivery.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { type HostId, isHostId, parseTaskId, type TaskId } from '../core/ids.ts';
import { isBehind, justBefore, type PageQuery, type RowPage } from '../core/list-page.ts';
import type { Query } from '../core/query-messages.ts';
import { fitsHost, fitsTask, type HostFilter, type TaskFilter } from '../core/row-filter.ts';
import {
  type Explanation,
  type HostRow,
  hostRowSchema,
  type SchedulerRow,
  schedulerRowSchema,
  type TaskDetail,
  type TaskRow,
  taskDetailSchema,
  taskRowSchema,
} from '../core/swarm-rows.ts';
import type { Bus } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { explanation } from './explain.ts';
import { walkPages } from './walk-pages.ts';

const WAIT_MS = 500;
/** The log is read for an answer. */
const LOG_WAIT_MS = 4_000;

const next = z.string().optional();
const tasksReply = z.object({ tasks: z.array(taskRowSchema), next });
const taskReply = z.object({
  task: taskDetailSchema.extend({ originReasons: z.record(z.string(), z.number()).default({}) }).optional(),
  next,
});
const schedulersReply = z.object({ schedulers: z.array(schedulerRowSchema) });
const hostsReply = z.object({ hosts: z.array(hostRowSchema), next });
const historyReply = z.object({
  history: taskHistorySchema.omit({ taskId: true, deliveries: true }).optional(),
  deliveries: taskHistorySchema.shape.deliveries,
  unread: z.string().optional(),
  next,
});

/** How a task came to the host that asks, which no bus has to bring. */
export interface OwnDeliveries {
  readonly hostId: HostId;
  readonly delivery: (taskId: TaskId) => Delivery | undefined;
}

/** What can be asked of a swarm as a whole. */
export interface SwarmQueries {
  /** The first `limit` by id, or all. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  tasks(limit?: number): Promise<TaskRow[]>;
  /** @throws ERR_TASK_NOT_FOUND, ERR_TASK_ID_INVALID, and as `tasks` */
  task(taskId: string): Promise<TaskDetail>;
  /** The log of a task. @throws ERR_BUS_UNAVAILABLE where no scheduler can read it, and as `task` */
  history(taskId: string): Promise<TaskHistory>;
  /** Where its bytes came from, on all hosts or on one. @throws ERR_CONFIG_INVALID for what is no host id, and as `task` */
  explain(taskId: string, hostId?: string): Promise<Explanation>;
  /** Removes a task from every cache. @throws ERR_BUS_DENIED where this login is not an operator's, and as `task` */
  removeTask(taskId: string): Promise<{ hosts: number }>;
  /** As `tasks`. */
  hosts(limit?: number): Promise<HostRow[]>;
  /** The schedulers that answer now, by id. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  schedulers(): Promise<SchedulerRow[]>;
}

/** The same by the page, so that no answer is large. */
export interface SwarmPages {
  /** A page of `tasks`. @throws as `tasks` */
  taskPage(query: PageQuery<TaskFilter>): Promise<RowPage<TaskRow>>;
  /** A task with a page of its hosts alone. @throws as `task` */
  taskWith(taskId: string, query: PageQuery): Promise<{ task: TaskDetail; next: string | undefined }>;
  /** A page of `hosts`. @throws as `tasks` */
  hostPage(query: PageQuery<HostFilter>): Promise<RowPage<HostRow>>;
}

type Asked<F = undefined> = Omit<PageQuery<F>, 'limit'> & { readonly limit?: number | undefined };

/** What whoever asks knows itself. */
export interface SwarmKnown {
  readonly own?: OwnDeliveries | undefined;
  /** How many schedulers there are: none is waited for beyond; undefined where it is not known. */
  readonly schedulers?: (() => number | undefined) | undefined;
}

/** Asks all schedulers over the bus, and puts their answers together. */
export function swarmQueries(bus: Bus, { own, schedulers }: SwarmKnown = {}): SwarmQueries & SwarmPages {
  /** @param most Go on as soon as so many answered. */
  async function ask<T>(
    noun: string,
    query: Query,
    schema: z.ZodType<T>,
    most?: number,
    waitMs = WAIT_MS,
  ): Promise<T[]> {
    const options = waitFor(waitMs, most ?? schedulers?.());
    const answers = await bus.gather(SUBJECTS.query, { noun, sender: bus.name }, query, options);
    const valid = answers.flatMap((answer) => {
      const parsed = schema.safeParse(answer);
      return parsed.success ? [parsed.data] : [];
    });
    if (valid.length > 0) return valid;
    throw new ShoalError('ERR_BUS_NO_RESPONDERS', 'no scheduler answers');
  }

  async function taskWith(taskId: string, query: Asked) {
    const id = parseTaskId(taskId);
    let known: TaskDetail | undefined;
    const { rows: peers, next } = await walkPages<TaskDetail['peers'][number]>({
      idOf: ({ hostId }) => hostId,
      weightOf: ({ have }) => have,
      after: query.after,
      limit: query.limit,
      async ask(page, most) {
        const answers = await ask('task', { op: 'show', taskId: id, ...page }, taskReply, most);
        const details = answers.flatMap((answer) => answer.task ?? []);
        const [best] = details.sort((a, b) => b.holders + b.fetching - a.holders - a.fetching);
        known ??= best;
        return answers.map((answer) => ({ rows: answer.task?.peers ?? [], next: answer.next }));
      },
    });
    if (known !== undefined) return { task: { ...known, peers: [...peers] }, next };
    throw unknownTask(id);
  }

  async function task(taskId: string): Promise<TaskDetail> {
    return (await taskWith(taskId, {})).task;
  }

  const taskPage = listOf<TaskRow, TaskFilter>({
    idOf: ({ taskId }) => taskId,
    weightOf: ({ holders, fetching }) => holders + fetching,
    async ask(page, tasks, most) {
      const query: Query = { op: 'list', ...page, ...(tasks && { tasks }) };
      const answers = await ask('task', query, tasksReply, most);
      return answers.map((answer) => ({ rows: answer.tasks, next: answer.next }));
    },
    fits: fitsTask,
  });

  const hostPage = listOf<HostRow, HostFilter>({
    idOf: ({ hostId }) => hostId,
    weightOf: ({ aliveAgoMs }) => -aliveAgoMs,
    async ask(page, hosts, most) {
      const query: Query = { op: 'list', ...page, ...(hosts && { hosts }) };
      const answers = await ask('host', query, hostsReply, most);
      return answers.map((answer) => ({ rows: answer.hosts, next: answer.next }));
    },
    fits: fitsHost,
  });

  async function history(taskId: string): Promise<TaskHistory> {
    const id = parseTaskId(taskId);
    // So that nobody is waited for who is not there.
    const answering = await ask('task', { op: 'show', taskId: id, limit: 1 }, z.unknown());
    let known: z.infer<typeof historyReply>['history'];
    let unread: string | undefined;
    const { rows: deliveries } = await walkPages<TaskHistory['deliveries'][number]>({
      idOf: ({ hostId }) => hostId,
      weightOf: ({ atMs }) => atMs,
      async ask(page) {
        const query: Query = { op: 'history', taskId: id, ...page };
        const answers = await ask('task', query, historyReply, answering.length, LOG_WAIT_MS);
        for (const answer of answers) {
          known = known?.created === undefined ? (answer.history ?? known) : known;
          unread ??= answer.unread;
        }
        return answers.map((answer) => ({ rows: answer.deliveries, next: answer.next }));
      },
    });
    if (known === undefined) {
      throw new ShoalError('ERR_BUS_UNAVAILABLE', `the task log cannot be read (${unread ?? 'no answer'})`);
    }
    if (known.created === undefined && deliveries.length === 0) throw unknownTask(id);
    return { taskId: id, ...known, deliveries: [...deliveries] };
  }

  /** What hosts say of themselves; only the one that asks where the bus does not carry. */
  async function told(taskId: TaskId, hostId: HostId | undefined): Promise<Map<string, Delivery>> {
    const to = { taskId, sender: bus.name };
    const only = hostId === undefined ? {} : { hostId };
    const answers = await bus.gather(SUBJECTS.explain, to, only, { waitMs: WAIT_MS }).catch(() => []);
    const known = new Map<string, Delivery>();
    for (const answer of answers) if (answer.delivery) known.set(answer.hostId, answer.delivery);
    const mine = own?.delivery(taskId);
    if (own !== undefined && mine !== undefined) known.set(own.hostId, mine);
    return known;
  }

  async function explain(taskId: string, hostId?: string): Promise<Explanation> {
    const id = parseTaskId(taskId);
    if (hostId !== undefined && !isHostId(hostId)) {
      throw new ShoalError('ERR_CONFIG_INVALID', `not a host id: ${JSON.stringify(hostId.slice(0, 80))}`);
    }
    let missing: ShoalError | undefined;
    const failed = (error: unknown) => {
      missing ??= toShoalError(error);
      return undefined;
    };
    const unlogged = (error: unknown) => toShoalError(error).code;
    const [known, logged, hosts] = await Promise.all([
      task(id).catch(failed),
      history(id).catch(unlogged),
      told(id, hostId),
    ]);
    const explained = explanation({ taskId: id, task: known, history: logged, told: hosts }, hostId);
    if (explained === undefined) throw missing ?? unknownTask(id);
    return explained;
  }

  return {
    task,
    history,
    explain,
    taskPage,
    taskWith,
    hostPage,
    tasks: async (limit) => [...(await taskPage({ limit })).rows],
    hosts: async (limit) => [...(await hostPage({ limit })).rows],
    async removeTask(taskId) {
      const id = parseTaskId(taskId);
      const to = { taskId: id, sender: bus.name };
      const answers = await bus.gather(SUBJECTS.remove, to, {}, waitFor(WAIT_MS, schedulers?.()));
      if (answers.length === 0) throw new ShoalError('ERR_BUS_NO_RESPONDERS', 'no scheduler answers');
      if (!answers.some(({ known }) => known)) throw unknownTask(id);
      return { hosts: Math.max(...answers.map(({ hosts }) => hosts)) };
    },
    async schedulers() {
      const answers = await ask('scheduler', { op: 'list' }, schedulersReply);
      const rows = answers.flatMap(({ schedulers }) => schedulers);
      return rows.sort((a, b) => (a.schedulerId < b.schedulerId ? -1 : 1));
    },
  };
}

interface Listed<R, F> {
  readonly idOf: (row: R) => string;
  readonly weightOf: (row: R) => number;
  readonly ask: (
    page: Pick<Query, 'after' | 'limit'>,
    filter: F | undefined,
    most: number | undefined,
  ) => Promise<readonly RowPage<R>[]>;
  readonly fits: (row: R, filter: F) => boolean;
}

/** A list of schedulers by the page. */
function listOf<R, F>({ idOf, weightOf, ask, fits }: Listed<R, F>) {
  return async (query: Asked<F>): Promise<RowPage<R>> => {
    const { after, limit, id = '', filter, enough = () => false } = query;
    const first = id === '' ? '' : justBefore(id);
    const { rows, next } = await walkPages<R>({
      idOf,
      weightOf,
      after: after !== undefined && after > first ? after : first || undefined,
      limit,
      enough: (at) => enough() || (id !== '' && isBehind(at, id)),
      ask: (page, most) => ask(page, filter, most),
    });
    // A scheduler of another version may know nothing of filters.
    const fitting = rows.filter((row) => idOf(row).startsWith(id) && (!filter || fits(row, filter)));
    const isOver = next === undefined || (id !== '' && isBehind(next, id));
    return { rows: fitting, next: isOver ? undefined : next };
  };
}

function waitFor(waitMs: number, most: number | undefined): { waitMs: number; most?: number } {
  return { waitMs, ...(most === undefined ? {} : { most }) };
}

function unknownTask(id: string): ShoalError {
  return new ShoalError('ERR_TASK_NOT_FOUND', `no scheduler knows the task ${id}`);
}
