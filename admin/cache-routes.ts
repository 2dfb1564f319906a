import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { ShoalError } from '../core/errors.ts';
import { filePrintSchema, importRequestSchema } from '../core/imports.ts';
import type { CacheControl } from './cache-control.ts';

/** Adds the routes about what this host holds itself. */
export function addCacheRoutes(app: FastifyInstance, control: Promise<CacheControl>): void {
  // A body of bytes is read as it comes, by whoever answers.
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  app.post('/v1/import', async ({ query, body }) => {
    const request = parsed(importRequestSchema, query);
    return (await control).importFile(request, body as AsyncIterable<Uint8Array>);
  });
  app.get('/v1/cache', async () => (await control).cacheRows());
  app.post('/v1/cache/like', async ({ body }) => (await control).tasksLike(parsed(filePrintSchema, body)));
}

/** @throws ERR_CONFIG_INVALID */
function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ShoalError('ERR_CONFIG_INVALID', `bad request: ${issue?.path.join('.')}: ${issue?.message}`);
}
