import { z } from 'zod';
import { importedSchema } from '../core/imports.ts';
import { type CacheControl, cacheRowSchema } from './cache-control.ts';

/** How a daemon is asked: the answer, checked. */
export type Ask = <T>(
  method: string,
  path: string,
  schema: z.ZodType<T>,
  body?: AsyncIterable<Uint8Array> | object,
) => Promise<T>;

/** What a daemon holds itself, asked over its socket. */
export function cacheClient(ask: Ask): CacheControl {
  return {
    importFile: ({ digest, length }, content) =>
      ask(
        'POST',
        `/v1/import?digest=${encodeURIComponent(digest)}&length=${length}`,
        importedSchema,
        content,
      ),
    cacheRows: () => ask('GET', '/v1/cache', z.array(cacheRowSchema)),
    tasksLike: (print) => ask('POST', '/v1/cache/like', z.array(z.string()), print),
  };
}
