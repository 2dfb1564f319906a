import { z } from 'zod';
import { bytesBySourceSchema as bytesBySource, deliverySchema } from './delivery.ts';

/*
 * What people and programs are shown of a swarm: the rows of its lists, and the details of one. The command line, the
 * control socket and the HTTP API give the same.
 */

export const taskRowSchema = z.object({
  taskId: z.string(),
  state: z.string(),
  length: z.number().optional(),
  pieceLength: z.number().optional(),
  sources: z.array(z.string()),
  /** Hosts that hold all of it, and hosts that are fetching it. */
  holders: z.number(),
  fetching: z.number(),
  audience: z.string(),
});
export type TaskRow = z.infer<typeof taskRowSchema>;

export const taskDetailSchema = taskRowSchema.extend({
  peers: z.array(
    z.object({
      hostId: z.string(),
      have: z.number(),
      pieces: z.number(),
      bytes: bytesBySource,
      originReasons: z.record(z.string(), z.number()).default({}),
      state: z.string(),
      /** How much it holds of each of up to 64 equal parts of the task, a digit each: 0 nothing, 9 all of it. */
      cells: z.string().max(64).optional(),
      /** Whom it is fetching from now, `origin` among them. */
      from: z.array(z.string()).optional(),
    }),
  ),
  /** Bytes read from the origin by this swarm, by reason. */
  originReasons: z.record(z.string(), z.number()),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type TaskDetail = z.infer<typeof taskDetailSchema>;

export const explanationSchema = z.object({
  taskId: z.string(),
  state: z.string().optional(),
  length: z.number().optional(),
  pieceLength: z.number().optional(),
  sources: z.array(z.string()),
  /** Whether a scheduler answered, how many hosts did, and whether the log was read: else why not. */
  heard: z.object({
    scheduler: z.boolean(),
    hosts: z.number(),
    log: z.union([z.literal('read'), z.string()]),
  }),
  /** Of all hosts together. */
  bytes: bytesBySource,
  originReasons: z.record(z.string(), z.number()),
  hosts: z.array(
    deliverySchema.extend({
      hostId: z.string(),
      /** Who says so: the host itself, the log, or a scheduler, which knows bytes alone. */
      toldBy: z.enum(['host', 'log', 'scheduler']),
    }),
  ),
});
/** Where the bytes of a task came from on each host, why, and what the time went to. */
export type Explanation = z.infer<typeof explanationSchema>;

export const hostRowSchema = z.object({
  hostId: z.string(),
  /** Of its machine. */
  name: z.string().optional(),
  ip: z.string(),
  port: z.number(),
  role: z.string(),
  zone: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  version: z.string(),
  aliveAgoMs: z.number(),
  uploading: z.number(),
  downloading: z.number(),
  cachedBytes: z.number(),
  cachedTasks: z.number(),
});
export type HostRow = z.infer<typeof hostRowSchema>;

export const schedulerRowSchema = z.object({
  schedulerId: z.string(),
  /** The machine that it runs on. */
  name: z.string(),
  /** When it started, wall-clock ms. */
  sinceMs: z.number(),
  /** Those that it serves, and the epochs under which it does; 0 where it has none. */
  partitions: z.array(z.number()),
  epochLeast: z.number(),
  epoch: z.number(),
  /** Whether a store says who owns what; without one presence alone decides. */
  guided: z.boolean(),
  /** It hands over what it serves. */
  leaving: z.boolean(),
  tasks: z.number(),
  hosts: z.number(),
  version: z.string(),
});
export type SchedulerRow = z.infer<typeof schedulerRowSchema>;
