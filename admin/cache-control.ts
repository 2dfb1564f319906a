import { z } from 'zod';
import type { FilePrint, Imported, ImportRequest } from '../core/imports.ts';

export const cacheRowSchema = z.object({
  taskId: z.string(),
  length: z.number().optional(),
  storedBytes: z.number(),
  complete: z.boolean(),
  audience: z.string(),
  /** A pin keeps it from being evicted. */
  kept: z.boolean(),
  /** Wall-clock ms since 1970. */
  lastUsedMs: z.number(),
});
/** One task in the cache of a host. */
export type CacheRow = z.infer<typeof cacheRowSchema>;

export const dropRequestSchema = z.object({ taskIds: z.array(z.string().max(200)).max(1000) });
export const pruneLimitsSchema = z.object({
  toBytes: z.number().min(0).optional(),
  olderMs: z.number().min(0).optional(),
});
/** What a cache is pruned to. */
export type PruneLimits = z.infer<typeof pruneLimitsSchema>;
export const scrubLimitsSchema = z.object({ bytesPerSec: z.number().min(1) });
/** How fast a cache is read. */
export type ScrubLimits = z.infer<typeof scrubLimitsSchema>;
export const scrubRowSchema = z.object({
  taskId: z.string(),
  bytes: z.number(),
  /** Pieces that were taken back. */
  damaged: z.array(z.number()),
});
/** What a scrub found of one task. */
export type ScrubRow = z.infer<typeof scrubRowSchema>;

/** What a daemon can be asked about what it holds itself. */
export interface CacheControl {
  /** Puts a file into the cache, for the whole swarm. @throws as `Imports.take` */
  importFile(request: ImportRequest, content: AsyncIterable<Uint8Array>): Promise<Imported>;
  /** What the cache holds, least recently used first. */
  cacheRows(): Promise<CacheRow[]>;
  /**
   * Removes tasks from this host alone; what a pin keeps stays. Returns what was removed.
   * @throws ERR_TASK_PINNED
   */
  dropTasks(taskIds: readonly string[]): Promise<CacheRow[]>;
  /**
   * Removes what was not used for the longest time: what is older than `olderMs`, and until the cache has `toBytes` at
   * most. What is in use or kept by a pin stays. Returns what was removed.
   */
  prune(limits: PruneLimits): Promise<CacheRow[]>;
  /** Reads all that is on disk, and takes back what is not as it was recorded. */
  scrub(limits: ScrubLimits, signal: AbortSignal): AsyncIterable<ScrubRow>;
  /** Tasks held whole whose bytes are those of a file. */
  tasksLike(print: FilePrint): Promise<string[]>;
}
