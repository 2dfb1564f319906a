import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Health } from './health.ts';

/** What the admin port shows. */
export interface AdminPortOptions {
  readonly adminListen: string;
  /** 0: any free one. */
  readonly adminPort: number;
  readonly health: () => Health;
  /** Text in Prometheus' exposition format. */
  readonly metrics: () => Promise<string>;
  readonly logger: Logger;
}

/** A listening admin port. */
export interface AdminPort extends AsyncDisposable {
  readonly port: number;
}

/**
 * Serves health and metrics over TCP, and nothing that reads content or changes state.
 * @throws ERR_CONFIG_INVALID where the port cannot be listened on
 */
export async function startAdminPort(options: AdminPortOptions): Promise<AdminPort> {
  const app = fastify({ logger: false, forceCloseConnections: true });
  addRoutes(app, options);
  try {
    await app.listen({ host: options.adminListen, port: options.adminPort });
  } catch (cause) {
    await app.close();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_CONFIG_INVALID', `cannot listen on the admin port: ${why}`, { cause });
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => app.close(),
  };
}

function addRoutes(app: FastifyInstance, { health, metrics, logger }: AdminPortOptions): void {
  app.get('/healthz', (_request, reply) => {
    const now = health();
    return reply.status(now.live ? 200 : 503).send(now);
  });
  app.get('/readyz', (_request, reply) => {
    const now = health();
    return reply.status(now.live && now.ready ? 200 : 503).send(now);
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await metrics()),
  );
  app.setErrorHandler((error, _request, reply) => {
    logger.error({ err: error }, 'admin request failed');
    return reply.status(500).send({ error: { code: 'ERR_INTERNAL', message: 'internal error' } });
  });
}
