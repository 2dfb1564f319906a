import { z } from 'zod';

/*
 * What a daemon does for the command line beside it, over the unix socket in its --dir: the schemas are the wire
 * form, `HostControl` what the daemon implements and the client gives back.
 */

export const getRequestSchema = z.object({
  /** URL, digest or task id. */
  resource: z.string().min(1).max(8192),
  digest: z.string().max(200).optional(),
  /** Sent to the origin, and to nobody else. */
  headers: z.record(z.string(), z.string()).default({}),
  noOrigin: z.boolean().default(false),
  maxStaleMs: z.int().min(0).default(0),
});
export type GetRequest = z.infer<typeof getRequestSchema>;

const bytesBySource = z.object({ origin: z.number(), peers: z.number(), local: z.number() });

/** Why bytes came from the origin and not from a host. */
export const originReasonSchema = z.enum(['no-holder', 'adrift', 'credentials', 'lone-host']);

export const getProgressSchema = z.object({
  taskId: z.string().optional(),
  /** Unknown for a stream without a length. */
  length: z.number().optional(),
  /** Verified bytes. */
  doneBytes: z.number(),
  bytes: bytesBySource,
  /** Hosts bytes are coming from, or came from. */
  parents: z.number(),
  state: z.enum(['resolving', 'waiting', 'transferring', 'adrift', 'verifying']),
  /** The cached file while it fills: what can be copied from it already, so that little is left for the end. */
  cached: z
    .object({
      path: z.string(),
      /** Another one than before: forget what was copied. */
      revision: z.string(),
      /** Bytes [start, end) verified since the progress before. */
      fresh: z.array(z.tuple([z.number(), z.number()])),
    })
    .optional(),
});
export type GetProgress = z.infer<typeof getProgressSchema>;

export const getResultSchema = z.object({
  taskId: z.string(),
  length: z.number(),
  /** The cached file; absent for private content, which is only streamed. */
  path: z.string().optional(),
  /** As in `getProgressSchema.cached`: what was copied under this revision is right. */
  revision: z.string().optional(),
  /** Verified digest of the whole, where one was given; else absent. */
  digest: z.string().optional(),
  bytes: bytesBySource,
  originReasons: z.partialRecord(originReasonSchema, z.number()),
  parents: z.number(),
  durationMs: z.number(),
  /** The longest time without a byte, ms. */
  longestGapMs: z.number(),
});
export type GetResult = z.infer<typeof getResultSchema>;

export const hostStatusSchema = z.object({
  hostId: z.string(),
  version: z.string(),
  role: z.string(),
  zone: z.string().optional(),
  swarm: z.string(),
  nats: z.object({ url: z.string().optional(), state: z.string() }),
  state: z.string(),
  ip: z.string(),
  dataPort: z.number(),
  /** HOST:PORT of the registry mirror and the proxy, once it listens. */
  proxy: z.string().optional(),
  uptimeMs: z.number(),
  cache: z.object({ bytes: z.number(), tasks: z.number(), quotaBytes: z.number() }),
  transfers: z.object({ up: z.number(), down: z.number(), slotsUp: z.number(), slotsDown: z.number() }),
  bytes: bytesBySource.extend({ sent: z.number() }),
  pid: z.number(),
});
export type HostStatus = z.infer<typeof hostStatusSchema>;

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
      state: z.string(),
    }),
  ),
  /** Bytes read from the origin by this swarm, by reason. */
  originReasons: z.record(z.string(), z.number()),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type TaskDetail = z.infer<typeof taskDetailSchema>;

export const hostRowSchema = z.object({
  hostId: z.string(),
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

export const imageRowSchema = z.object({
  /** As clients write it; empty where it is not known. */
  registry: z.string(),
  repository: z.string(),
  tag: z.string().optional(),
  digest: z.string(),
  kind: z.enum(['image', 'index']),
  platform: z.string().optional(),
  /** Bytes of the manifest and of all that an image is made of; of an index its own alone. */
  size: z.number(),
  /** Bytes of these on this host. */
  here: z.number(),
  /** Configuration and layers, or the manifests of an index; and those that are here whole. */
  parts: z.number(),
  partsHere: z.number(),
  /** Wall-clock ms since 1970. */
  lastUsedMs: z.number(),
});
export type ImageRow = z.infer<typeof imageRowSchema>;

/** What a host daemon can be asked. Errors are ShoalErrors. */
export interface HostControl {
  /**
   * Fetches a resource into the cache. `onProgress` is called a few times a second and when the state changes.
   * @throws any ShoalError
   */
  get(
    request: GetRequest,
    onProgress: (progress: GetProgress) => void,
    signal: AbortSignal,
  ): Promise<GetResult>;
  /**
   * The content in order while it arrives; the first value tells task and length. Reading drives which piece is
   * urgent, and a slow reader is waited for.
   * @throws any ShoalError, also in the middle
   */
  stream(
    request: GetRequest,
    onResult: (result: GetResult) => void,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  status(): HostStatus;
  /** Images whose manifest is in the cache of this host. */
  images(): Promise<ImageRow[]>;
  /** Asks all schedulers. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  tasks(): Promise<TaskRow[]>;
  /** @throws ERR_TASK_NOT_FOUND, ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  task(taskId: string): Promise<TaskDetail>;
  /** Removes a task from every cache of the swarm. @throws as `task` */
  removeTask(taskId: string): Promise<{ hosts: number }>;
  hosts(): Promise<HostRow[]>;
}
