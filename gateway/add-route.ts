import type { Server } from 'node:https';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { mayDo } from '../core/api-token.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { checked } from './errors.ts';
import { GATEWAY_LIMITS } from './limits.ts';
import type { OpenStreams } from './open-streams.ts';
import type { ApiRoute, Call, Caller } from './route.ts';
import { serverSent } from './server-sent.ts';
import type { GatewayWorld } from './world.ts';

/** The server; one without TLS is of the same type. */
export type GatewayApp = FastifyInstance<Server>;
type Request = Pick<FastifyRequest, 'params' | 'query' | 'body' | 'headers' | 'ip'>;
type AnyCall = Call<unknown, unknown, unknown, unknown>;

/** The path of a route as fastify writes it. */
export function fastifyPath({ path }: ApiRoute): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

/** Serves a route: who calls is looked at before the body is read. */
export function addRoute(app: GatewayApp, world: GatewayWorld, route: ApiRoute, streams: OpenStreams): void {
  const callers = new WeakMap<object, Caller>();
  app.route({
    method: route.method,
    url: fastifyPath(route),
    onRequest: async (request) => {
      callers.set(request, await callerOf(world, route, request));
    },
    handler: async (request, reply) => {
      const caller = callers.get(request) ?? { token: undefined, from: request.ip };
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new ShoalError('ERR_CANCELLED', 'the client went away')));
      let target = '';
      const call: AnyCall = {
        ...inputOf(route, request),
        caller,
        signal: gone.signal,
        changes: (named) => {
          target = named;
        },
      };
      if ('reply' in route) {
        return audited(
          world,
          route,
          caller,
          () => target,
          async () => route.handle(call),
        );
      }
      streams.begin(gone, () => callerOf(world, route, request));
      return openStream(world, route, call, gone, reply);
    },
  });
}

/** @throws ERR_API_LOGIN, ERR_API_SCOPE */
async function callerOf(world: GatewayWorld, { scopes }: ApiRoute, request: Request): Promise<Caller> {
  if (scopes.length === 0) return { token: undefined, from: request.ip };
  const token = await world.login(request.headers);
  if (mayDo(token, scopes)) return { token, from: request.ip };
  throw new ShoalError(
    'ERR_API_SCOPE',
    `the token ${token.name} may not do this: it takes ${scopes.join(' or ')}`,
  );
}

/** @throws ERR_API_REQUEST */
function inputOf({ params, query, body, headers }: ApiRoute, request: Request) {
  return {
    params: params && checked(params, 'path', request.params),
    query: query && checked(query, 'query', request.query),
    body: body && checked(body, 'body', request.body),
    headers: headers && checked(headers, 'header', request.headers),
  };
}

/** Writes down who changed what, whether it came to something or not. */
async function audited<R>(
  world: GatewayWorld,
  { audited: action }: ApiRoute,
  { token, from }: Caller,
  target: () => string,
  run: () => Promise<R>,
): Promise<R> {
  if (action === undefined) return run();
  const who = { who: token?.name ?? 'anonymous', ...(token && { tokenId: token.id }), from, action };
  try {
    const done = await run();
    void world.audit({ ...who, target: target(), outcome: 'done' });
    return done;
  } catch (error) {
    void world.audit({ ...who, target: target(), outcome: toShoalError(error).code });
    throw error;
  }
}

async function openStream(
  world: GatewayWorld,
  route: Extract<ApiRoute, { open: unknown }>,
  call: AnyCall,
  gone: AbortController,
  reply: Pick<FastifyReply, 'type'>,
) {
  try {
    const text = serverSent(until(gone.signal, await route.open(call)), {
      clock: world.clock,
      beatMs: GATEWAY_LIMITS.beatMs,
    });
    reply.type('text/event-stream; charset=utf-8');
    return Readable.from(text, { objectMode: true, highWaterMark: 1 });
  } catch (error) {
    gone.abort(error);
    throw error;
  }
}

/** A stream whose client is gone ends like one that is over. */
async function* until<T>(signal: AbortSignal, events: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* events;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
