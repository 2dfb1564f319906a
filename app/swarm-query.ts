import { z } from 'zod';
import {
  type HostRow,
  hostRowSchema,
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

const WAIT_MS = 500;

const tasksReply = z.object({ tasks: z.array(taskRowSchema) });
const taskReply = z.object({
  task: taskDetailSchema.extend({ originReasons: z.record(z.string(), z.number()).default({}) }).optional(),
});
const hostsReply = z.object({ hosts: z.array(hostRowSchema) });

/** What can be asked of a swarm as a whole. */
export interface SwarmQueries {
  /** @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  tasks(): Promise<TaskRow[]>;
  /** @throws ERR_TASK_NOT_FOUND, ERR_TASK_ID_INVALID, and as `tasks` */
  task(taskId: string): Promise<TaskDetail>;
  /** Removes a task from every cache. @throws ERR_BUS_DENIED where this login is not an operator's, and as `task` */
  removeTask(taskId: string): Promise<{ hosts: number }>;
  hosts(): Promise<HostRow[]>;
}

/** Asks all schedulers over the bus, and puts their answers together. */
export function swarmQueries(bus: Bus): SwarmQueries {
  async function ask<T>(noun: string, query: Query, schema: z.ZodType<T>): Promise<T[]> {
    const answers = await bus.gather(SUBJECTS.query, { noun, sender: bus.name }, query, { waitMs: WAIT_MS });
    const valid = answers.flatMap((answer) => {
      const parsed = schema.safeParse(answer);
      return parsed.success ? [parsed.data] : [];
    });
    if (valid.length > 0) return valid;
    throw new ShoalError('ERR_BUS_NO_RESPONDERS', 'no scheduler answers');
  }

  async function task(taskId: string): Promise<TaskDetail> {
    const id = parseTaskId(taskId);
    const answers = await ask('task', { op: 'show', taskId: id }, taskReply);
    const [known] = answers.flatMap(({ task }) => task ?? []).sort((a, b) => b.peers.length - a.peers.length);
    if (known !== undefined) return known;
    throw unknownTask(id);
  }

  return {
    task,
    async tasks() {
      const answers = await ask('task', { op: 'list' }, tasksReply);
      const rows = answers.flatMap(({ tasks }) => tasks);
      return heaviest(
        rows,
        ({ taskId }) => taskId,
        ({ holders, fetching }) => holders + fetching,
      );
    },
    async removeTask(taskId) {
      const id = parseTaskId(taskId);
      const to = { taskId: id, sender: bus.name };
      const answers = await bus.gather(SUBJECTS.remove, to, {}, { waitMs: WAIT_MS });
      if (answers.length === 0) throw new ShoalError('ERR_BUS_NO_RESPONDERS', 'no scheduler answers');
      if (!answers.some(({ known }) => known)) throw unknownTask(id);
      return { hosts: Math.max(...answers.map(({ hosts }) => hosts)) };
    },
    async hosts() {
      const answers = await ask('host', { op: 'list' }, hostsReply);
      const rows = answers.flatMap(({ hosts }) => hosts);
      return heaviest(
        rows,
        ({ hostId }) => hostId,
        ({ aliveAgoMs }) => -aliveAgoMs,
      );
    },
  };
}

function unknownTask(id: string): ShoalError {
  return new ShoalError('ERR_TASK_NOT_FOUND', `no scheduler knows the task ${id}`);
}

/** One row an id, the one that weighs most, in the order of the ids. */
function heaviest<T>(rows: readonly T[], idOf: (row: T) => string, weightOf: (row: T) => number): T[] {
  const best = new Map<string, T>();
  for (const row of rows) {
    const known = best.get(idOf(row));
    if (known === undefined || weightOf(row) > weightOf(known)) best.set(idOf(row), row);
  }
  return [...best.values()].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}
