import { z } from 'zod';
import {
  type Explanation,
  type HostRow,
  hostRowSchema,
  type SchedulerRow,
  schedulerRowSchema,
  type TaskDetail,
  type TaskHistory,
  type TaskRow,
  taskDetailSchema,
  taskHistorySchema,
  taskRowSchema,
} from '../admin/control.ts';
import type { Delivery } from '../core/delivery.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { type HostId, isHostId, parseTaskId, type TaskId } from '../core/ids.ts';
import type { Query } from '../core/query-messages.ts';
import type { Bus } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { explanation } from './explain.ts';
import { type Paged, walkPages } from './walk-pages.ts';

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

/** Asks all schedulers over the bus, and puts their answers together. */
export function swarmQueries(bus: Bus, own?: OwnDeliveries): SwarmQueries {
  /** @param most Go on as soon as so many answered. */
  async function ask<T>(
    noun: string,
    query: Query,
    schema: z.ZodType<T>,
    most?: number,
    waitMs = WAIT_MS,
  ): Promise<T[]> {
    const options = { waitMs, ...(most === undefined ? {} : { most }) };
    const answers = await bus.gather(SUBJECTS.query, { noun, sender: bus.name }, query, options);
    const valid = answers.flatMap((answer) => {
      const parsed = schema.safeParse(answer);
      return parsed.success ? [parsed.data] : [];
    });
    if (valid.length > 0) return valid;
    throw new ShoalError('ERR_BUS_NO_RESPONDERS', 'no scheduler answers');
  }

  async function task(taskId: string): Promise<TaskDetail> {
    const id = parseTaskId(taskId);
    let known: TaskDetail | undefined;
    const peers = await walkPages<TaskDetail['peers'][number]>({
      idOf: ({ hostId }) => hostId,
      weightOf: ({ have }) => have,
      async ask(page, most) {
        const answers = await ask('task', { op: 'show', taskId: id, ...page }, taskReply, most);
        const details = answers.flatMap((answer) => answer.task ?? []);
        const [best] = details.sort((a, b) => b.holders + b.fetching - a.holders - a.fetching);
        known ??= best;
        return answers.map((answer) => ({ rows: answer.task?.peers ?? [], next: answer.next }));
      },
    });
    if (known !== undefined) return { ...known, peers };
    throw unknownTask(id);
  }

  async function history(taskId: string): Promise<TaskHistory> {
    const id = parseTaskId(taskId);
    // So that nobody is waited for who is not there.
    const schedulers = await ask('task', { op: 'show', taskId: id, limit: 1 }, z.unknown());
    let known: z.infer<typeof historyReply>['history'];
    let unread: string | undefined;
    const deliveries = await walkPages<TaskHistory['deliveries'][number]>({
      idOf: ({ hostId }) => hostId,
      weightOf: ({ atMs }) => atMs,
      async ask(page) {
        const query: Query = { op: 'history', taskId: id, ...page };
        const answers = await ask('task', query, historyReply, schedulers.length, LOG_WAIT_MS);
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
    return { taskId: id, ...known, deliveries };
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
    tasks(limit) {
      return walkPages<TaskRow>({
        idOf: ({ taskId }) => taskId,
        weightOf: ({ holders, fetching }) => holders + fetching,
        limit,
        async ask(page, most): Promise<Paged<TaskRow>[]> {
          const answers = await ask('task', { op: 'list', ...page }, tasksReply, most);
          return answers.map((answer) => ({ rows: answer.tasks, next: answer.next }));
        },
      });
    },
    async removeTask(taskId) {
      const id = parseTaskId(taskId);
      const to = { taskId: id, sender: bus.name };
      const answers = await bus.gather(SUBJECTS.remove, to, {}, { waitMs: WAIT_MS });
      if (answers.length === 0) throw new ShoalError('ERR_BUS_NO_RESPONDERS', 'no scheduler answers');
      if (!answers.some(({ known }) => known)) throw unknownTask(id);
      return { hosts: Math.max(...answers.map(({ hosts }) => hosts)) };
    },
    async schedulers() {
      const answers = await ask('scheduler', { op: 'list' }, schedulersReply);
      const rows = answers.flatMap(({ schedulers }) => schedulers);
      return rows.sort((a, b) => (a.schedulerId < b.schedulerId ? -1 : 1));
    },
    hosts(limit) {
      return walkPages<HostRow>({
        idOf: ({ hostId }) => hostId,
        weightOf: ({ aliveAgoMs }) => -aliveAgoMs,
        limit,
        async ask(page, most): Promise<Paged<HostRow>[]> {
          const answers = await ask('host', { op: 'list', ...page }, hostsReply, most);
          return answers.map((answer) => ({ rows: answer.hosts, next: answer.next }));
        },
      });
    },
  };
}

function unknownTask(id: string): ShoalError {
  return new ShoalError('ERR_TASK_NOT_FOUND', `no scheduler knows the task ${id}`);
}
