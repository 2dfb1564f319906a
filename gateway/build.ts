import type { ServerOptions } from 'node:https';
import fastifySwagger from '@fastify/swagger';
import { fastify } from 'fastify';
import { ShoalError } from '../core/errors.ts';
import { addRoute, fastifyPath, type GatewayApp } from './add-route.ts';
import { CONSOLE_POLICY } from './console.ts';
import { errorAnswer } from './errors.ts';
import { GATEWAY_LIMITS } from './limits.ts';
import { OpenStreams } from './open-streams.ts';
import { routeDocs } from './openapi.ts';
import { TRY_PAGE, TRY_PAGE_POLICY } from './page.ts';
import type { ApiRoute } from './route.ts';
import { gatewayRoutes } from './routes.ts';
import type { GatewayWorld } from './world.ts';

/** The whole API as a server that does not listen yet. @param tls absent: plain HTTP */
export async function buildGateway(
  world: GatewayWorld,
  tls?: Pick<ServerOptions, 'cert' | 'key'>,
): Promise<GatewayApp> {
  const app: GatewayApp = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: GATEWAY_LIMITS.bodyBytes,
    requestTimeout: GATEWAY_LIMITS.requestMs,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
    https: tls === undefined ? null : { ...tls, minVersion: 'TLSv1.2' },
    frameworkErrors: (error, _request, reply) => {
      const { status, headers, body } = told(world, error);
      const text = JSON.stringify(body);
      const length = Buffer.byteLength(text);
      reply.hijack();
      reply.raw
        .writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': length })
        .end(text);
    },
    clientErrorHandler(error, socket) {
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
      socket.end(UNREADABLE, () => socket.destroy());
    },
  });
  app.setErrorHandler((error, _request, reply) => {
    const { status, headers, body } = told(world, error);
    return reply.status(status).headers(headers).send(body);
  });
  app.setNotFoundHandler(({ method }) => {
    throw new ShoalError('ERR_API_ROUTE', `there is no ${method} of this path`);
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
  app.addHook('onResponse', async ({ routeOptions }, { statusCode }) => {
    world.onAnswered(routeOptions.url ?? 'none', statusCode);
  });
  const routes = gatewayRoutes(world);
  await describeRoutes(app, world, routes);
  const streams = new OpenStreams(world.clock);
  for (const route of routes) addRoute(app, world, route, streams);
  app.addHook('preClose', async () => streams.close());
  app.get('/openapi.json', () => app.swagger());
  serveConsole(app, world);
  app.get('/try', (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', TRY_PAGE_POLICY).send(TRY_PAGE),
  );
  await app.ready();
  return app;
}

/** Its first page at `/`, the rest below `/console/`. */
function serveConsole(app: GatewayApp, { console }: GatewayWorld): void {
  for (const [name, { type, body }] of console) {
    const path = name === 'index.html' ? '/' : `/console/${name}`;
    app.get(path, (_request, reply) =>
      reply.type(type).header('content-security-policy', CONSOLE_POLICY).send(body),
    );
  }
}

async function describeRoutes(
  app: GatewayApp,
  { version }: GatewayWorld,
  routes: readonly ApiRoute[],
): Promise<void> {
  const schemas: Record<string, object> = {};
  const operations = new Map<string, object>();
  for (const route of routes) {
    const { schema, components } = routeDocs(route);
    operations.set(`${route.method} ${fastifyPath(route)}`, schema);
    Object.assign(schemas, components);
  }
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Shoal',
        description: 'The API of a swarm. An operator makes tokens with `shoal token create`.',
        version,
      },
      components: { schemas, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: ({ url, route: { method } }) => ({
      url,
      schema: operations.get(`${String(method)} ${url}`) ?? { hide: true },
    }),
  });
}

/** Where no answer object is. */
const UNREADABLE = (() => {
  const { body } = errorAnswer(new ShoalError('ERR_API_REQUEST', 'the request cannot be read'));
  const text = JSON.stringify(body);
  const head = 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json';
  return `${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
})();

function told({ logger }: GatewayWorld, thrown: unknown) {
  const { status, body, unexpected } = errorAnswer(thrown);
  if (unexpected) logger.error({ err: thrown }, 'an api request failed');
  const login = status === 401 ? { 'www-authenticate': 'Bearer realm="shoal"' } : {};
  const again = body.error.retryable ? { 'retry-after': '1' } : {};
  return { status, body, headers: { ...login, ...again } };
}
