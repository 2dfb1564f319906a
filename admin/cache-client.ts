import { z } from 'zod';
import { importedSchema } from '../core/imports.ts';
import { type CacheControl, cacheRowSchema, scrubRowSchema } from './cache-control.ts';

/** How a daemon is asked: the answer, checked. */
export type AskDaemon = <T>(
  method: string,
  path: string,
  schema: z.ZodType<T>,
  body?: AsyncIterable<Uint8Array> | object,
) => Promise<T>;

/** How a daemon is asked what it answers line by line, until an empty object ends it. */
export type Lines = <T>(
  path: string,
  body: object,
  schema: z.ZodType<T>,
  signal: AbortSignal,
) => AsyncIterable<T>;

/** What a daemon holds itself, asked over its socket. */
export function cacheClient(ask: AskDaemon, lines: Lines): CacheControl {
  return {
    importFile: ({ digest, length }, content) =>
      ask(
        'POST',
        `/v1/import?digest=${encodeURIComponent(digest)}&length=${length}`,
        importedSchema,
        content,
      ),
    cacheRows: () => ask('GET', '/v1/cache', z.array(cacheRowSchema)),
    dropTasks: (taskIds) => ask('POST', '/v1/cache/drop', z.array(cacheRowSchema), { taskIds }),
    prune: (limits) => ask('POST', '/v1/cache/prune', z.array(cacheRowSchema), limits),
    scrub: (limits, signal) => lines('/v1/cache/scrub', limits, scrubRowSchema, signal),
    tasksLike: (print) => ask('POST', '/v1/cache/like', z.array(z.string()), print),
  };
}
