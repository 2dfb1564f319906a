import { Readable } from 'node:stream';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { z } from 'zod';
import { getRequestSchema } from '../core/download.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { registryNamesSchema } from '../core/registry-check.ts';
import { addCacheRoutes } from './cache-routes.ts';
import type { HostControl } from './control.ts';
import { claimSocket } from './socket.ts';
import { contentFrames, getLines } from './streams.ts';

/** What the control socket needs. */
export interface AdminOptions {
  /** The daemon's directory; the socket in it is its lock. */
  readonly dir: string;
  /** May come later: requests wait for it. */
  readonly control: HostControl | Promise<HostControl>;
  readonly logger: Logger;
}

/** A control socket at its place. */
export interface Admin extends AsyncDisposable {
  readonly socketPath: string;
}

const BODY_BYTES = 256 * 1024;

/**
 * Serves HostControl on the unix socket of a directory, mode 0660.
 * @throws ERR_CONFIG_DIR_LOCKED where a live daemon has the directory, ERR_STORE_IO, ERR_CONFIG_INVALID
 */
export async function startAdmin({ dir, control, logger }: AdminOptions): Promise<Admin> {
  const coming = Promise.resolve(control);
  // Whoever opens the host reports its failure; here it is only told to those who asked.
  coming.catch(() => undefined);
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: BODY_BYTES,
    // A task id of SHA-512 that was read at one place.
    routerOptions: { maxParamLength: 512 },
  });
  addRoutes(app, coming);
  addCacheRoutes(app, coming);
  app.setErrorHandler((error, _request, reply) => {
    const wire = asShoalError(error);
    if (wire.code === 'ERR_INTERNAL') logger.error({ err: error }, 'control request failed');
    return reply.status(wire.status).send({ error: wire.toWire() });
  });
  try {
    const claim = await claimSocket(dir, (path) => app.listen({ path }));
    return {
      socketPath: claim.path,
      async [Symbol.asyncDispose]() {
        claim.release();
        await app.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

function addRoutes(app: FastifyInstance, control: Promise<HostControl>): void {
  app.post('/v1/get', async (request, reply) => {
    const lines = getLines(await control, parsed(getRequestSchema, request.body), whileConnected(reply));
    return reply.type('application/x-ndjson').send(Readable.from(lines));
  });
  app.post('/v1/stream', async (request, reply) => {
    const frames = contentFrames(
      await control,
      parsed(getRequestSchema, request.body),
      whileConnected(reply),
    );
    return reply.type('application/octet-stream').send(Readable.from(frames, { highWaterMark: 4 }));
  });
  app.get('/v1/status', async () => (await control).status());
  app.get('/v1/images', async () => (await control).images());
  app.post('/v1/registries/check', async ({ body }) =>
    (await control).checkRegistries(parsed(registryNamesSchema, body).names),
  );
  app.get<UpTo>('/v1/tasks', async ({ query }) => (await control).tasks(limitOf(query.limit)));
  app.get<OfTask>('/v1/tasks/:id', async (request) => (await control).task(request.params.id));
  app.get<OfTask>('/v1/tasks/:id/history', async (request) => (await control).history(request.params.id));
  app.get<OfTask & OfHost>('/v1/tasks/:id/explain', async ({ params, query }) =>
    (await control).explain(params.id, query.host),
  );
  app.delete<OfTask>('/v1/tasks/:id', async (request) => (await control).removeTask(request.params.id));
  app.get<UpTo>('/v1/hosts', async ({ query }) => (await control).hosts(limitOf(query.limit)));
  app.get('/v1/schedulers', async () => (await control).schedulers());
}

interface OfTask {
  Params: { id: string };
}

interface OfHost {
  Querystring: { host?: string };
}

interface UpTo {
  Querystring: { limit?: string };
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new ShoalError('ERR_CONFIG_INVALID', `bad request: limit: ${text}`);
}

/** Aborts when the client goes away. */
function whileConnected(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) {
      controller.abort(new ShoalError('ERR_CANCELLED', 'the client went away'));
    }
  });
  return controller.signal;
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const { data, error } = schema.safeParse(body);
  if (data !== undefined) return data;
  const [issue] = error?.issues ?? [];
  throw new ShoalError('ERR_CONFIG_INVALID', `bad request: ${issue?.path.join('.')}: ${issue?.message}`);
}

function asShoalError(error: unknown): ShoalError {
  if (error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500) {
    return new ShoalError('ERR_CONFIG_INVALID', error.message, { cause: error });
  }
  return toShoalError(error);
}
