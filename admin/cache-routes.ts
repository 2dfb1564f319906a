import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { filePrintSchema, importRequestSchema } from '../core/imports.ts';
import {
  type CacheControl,
  dropRequestSchema,
  pruneLimitsSchema,
  scrubLimitsSchema,
} from './cache-control.ts';

/** Adds the routes about what this host holds itself. */
export function addCacheRoutes(app: FastifyInstance, control: Promise<CacheControl>): void {
  // A body of bytes is read as it comes, by whoever answers.
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  app.post('/v1/import', async ({ query, body }) => {
    const request = parsed(importRequestSchema, query);
    return (await control).importFile(request, body as AsyncIterable<Uint8Array>);
  });
  app.get('/v1/cache', async () => (await control).cacheRows());
  app.post('/v1/cache/drop', async ({ body }) =>
    (await control).dropTasks(parsed(dropRequestSchema, body).taskIds),
  );
  app.post('/v1/cache/prune', async ({ body }) => (await control).prune(parsed(pruneLimitsSchema, body)));
  app.post('/v1/cache/scrub', async ({ body }, reply) => {
    const gone = new AbortController();
    reply.raw.on('close', () => gone.abort(new ShoalError('ERR_CANCELLED', 'the client went away')));
    const rows = (await control).scrub(parsed(scrubLimitsSchema, body), gone.signal);
    return reply.type('application/x-ndjson').send(Readable.from(linesOf(rows)));
  });
  app.post('/v1/cache/like', async ({ body }) => (await control).tasksLike(parsed(filePrintSchema, body)));
}

async function* linesOf(rows: AsyncIterable<unknown>): AsyncIterable<string> {
  try {
    for await (const row of rows) yield `${JSON.stringify(row)}\n`;
    yield '{}\n';
  } catch (error) {
    yield `${JSON.stringify({ error: toShoalError(error).toWire() })}\n`;
  }
}

/** @throws ERR_CONFIG_INVALID */
function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ShoalError('ERR_CONFIG_INVALID', `bad request: ${issue?.path.join('.')}: ${issue?.message}`);
}
