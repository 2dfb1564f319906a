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

/** What a daemon can be asked about what it holds itself. */
export interface CacheControl {
  /** Puts a file into the cache, for the whole swarm. @throws as `Imports.take` */
  importFile(request: ImportRequest, content: AsyncIterable<Uint8Array>): Promise<Imported>;
  /** What the cache holds, least recently used first. */
  cacheRows(): Promise<CacheRow[]>;
  /** Tasks held whole whose bytes are those of a file. */
  tasksLike(print: FilePrint): Promise<string[]>;
}
