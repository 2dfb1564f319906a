import { z } from 'zod';
import {
  type HostRow,
  hostRowSchema,
  type SchedulerRow,
  schedulerRowSchema,
  type TaskDetail,
  type TaskRow,
  taskDetailSchema,
  taskRowSchema,
} from '../admin/control.ts';
import { ShoalError } from '../core/errors.ts';
import { parseTaskId } from '../core/ids.ts';
import type { Query } from '../core/query-messages.ts';
import type { Bus } from '../transport/bus.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { type Paged, walkPages } from './walk-pages.ts';

const WAIT_MS = 500;

const next = z.string().optional();
const tasksReply = z.object({ tasks: z.array(taskRowSchema), next });
const taskReply = z.object({
  task: taskDetailSchema.extend({ originReasons: z.record(z.string(), z.number()).default({}) }).optional(),
  next,
});
const schedulersReply = z.object({ schedulers: z.array(schedulerRowSchema) });
const hostsReply = z.object({ hosts: z.array(hostRowSchema), next });

/** What can be asked of a swarm as a whole. */
export interface SwarmQueries {
  /** The first `limit` by id, or all. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  tasks(limit?: number): Promise<TaskRow[]>;
  /** @throws ERR_TASK_NOT_FOUND, ERR_TASK_ID_INVALID, and as `tasks` */
  task(taskId: string): Promise<TaskDetail>;
  /** Removes a task from every cache. @throws ERR_BUS_DENIED where this login is not an operator's, and as `task` */
  removeTask(taskId: string): Promise<{ hosts: number }>;
  /** As `tasks`. */
  hosts(limit?: number): Promise<HostRow[]>;
  /** The schedulers that answer now, by id. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  schedulers(): Promise<SchedulerRow[]>;
}

/** Asks all schedulers over the bus, and puts their answers together. */
export function swarmQueries(bus: Bus): SwarmQueries {
  /** @param most Go on as soon as so many answered. */
  async function ask<T>(noun: string, query: Query, schema: z.ZodType<T>, most?: number): Promise<T[]> {
    const options = { waitMs: WAIT_MS, ...(most === undefined ? {} : { most }) };
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

  return {
    task,
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
