import { z } from 'zod';
import { bytesBySourceSchema as bytesBySource, deliverySchema } from '../core/delivery.ts';
import type { DownloadProgress, DownloadResult, GetRequest } from '../core/download.ts';
import type { RegistryCheck } from '../core/registry-check.ts';
import type { Explanation, HostRow, SchedulerRow, TaskDetail, TaskRow } from '../core/swarm-rows.ts';
import type { CacheControl } from './cache-control.ts';

/*
 * What a daemon does for the command line beside it, over the unix socket in its --dir: the schemas are the wire
 * form, `HostControl` what the daemon implements and the client gives back.
 */

export const hostStatusSchema = z.object({
  hostId: z.string(),
  version: z.string(),
  role: z.string(),
  zone: z.string().optional(),
  swarm: z.string(),
  nats: z.object({ url: z.string().optional(), state: z.string() }),
  state: z.string(),
  /** What keeps the host from the best of its swarm, in words, by what it concerns. */
  troubles: z.record(z.string(), z.string()).default({}),
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

/** What the log has of a task: the last word of each kind. */
export const taskHistorySchema = z.object({
  taskId: z.string(),
  created: z
    .object({
      atMs: z.number(),
      epoch: z.number(),
      length: z.number().optional(),
      pieceLength: z.number().optional(),
      sources: z.array(z.string()),
    })
    .optional(),
  /** Hashes of pieces. */
  hashes: z.number(),
  failed: z
    .object({ atMs: z.number(), error: z.object({ code: z.string(), message: z.string() }).optional() })
    .optional(),
  retired: z.object({ atMs: z.number() }).optional(),
  /** The last of each host. */
  deliveries: z.array(deliverySchema.extend({ hostId: z.string() })),
});
export type TaskHistory = z.infer<typeof taskHistorySchema>;

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
export interface HostControl extends CacheControl {
  /**
   * Fetches a resource into the cache. `onProgress` is called a few times a second and when the state changes.
   * @throws any ShoalError
   */
  get(
    request: GetRequest,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<DownloadResult>;
  /**
   * The content in order while it arrives; the first value tells task and length. Reading drives which piece is
   * urgent, and a slow reader is waited for.
   * @throws any ShoalError, also in the middle
   */
  stream(
    request: GetRequest,
    onResult: (result: DownloadResult) => void,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  status(): HostStatus;
  /** Images whose manifest is in the cache of this host. */
  images(): Promise<ImageRow[]>;
  /** Asks registries, and says what would come of a pull; without names those it was told of and the common ones. */
  checkRegistries(names: readonly string[]): Promise<RegistryCheck[]>;
  /** Asks all schedulers for the first `limit`, or all. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  tasks(limit?: number): Promise<TaskRow[]>;
  /** @throws ERR_TASK_NOT_FOUND, ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  task(taskId: string): Promise<TaskDetail>;
  /** Reads the task log. @throws as `task`, ERR_BUS_UNAVAILABLE where it cannot be read */
  history(taskId: string): Promise<TaskHistory>;
  /** Asks schedulers, log and hosts; of one host alone where one is named. @throws as `task` */
  explain(taskId: string, hostId?: string): Promise<Explanation>;
  /** Removes a task from every cache of the swarm. @throws as `task` */
  removeTask(taskId: string): Promise<{ hosts: number }>;
  /** As `tasks`. */
  hosts(limit?: number): Promise<HostRow[]>;
  /** The schedulers that answer now. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS */
  schedulers(): Promise<SchedulerRow[]>;
}
