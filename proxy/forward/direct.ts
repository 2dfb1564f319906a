import type { ClientRequest, IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { portOf } from '../../core/source.ts';
import { connectionError } from '../../origins/origin-error.ts';
import { hasBody } from '../framing.ts';
import type { ForwardAsk, ForwardWorld } from './forward-world.ts';
import { endToEnd, withVia } from './headers.ts';
import { answerRefusal, refusalOf } from './reply.ts';
import { hostHeader, type Target } from './target.ts';
import type { Upstream } from './upstream.ts';

type DirectWorld = Pick<ForwardWorld, 'upstream' | 'via' | 'metrics'>;

/** How a request ended that was passed on. */
export interface DirectEnd {
  readonly status: number | undefined;
  readonly bytes: number;
  readonly error?: unknown;
}

/** Passes a request on to its origin as it is, and the answer back as it comes. */
export function passOn(world: DirectWorld, ask: ForwardAsk): Promise<DirectEnd> {
  return new Promise((resolve) => attempt(world, ask, resolve, true));
}

function attempt(
  world: DirectWorld,
  ask: ForwardAsk,
  resolve: (end: DirectEnd) => void,
  mayRepeat: boolean,
): void {
  const { request, response, target } = ask;
  const withBody = hasBody(request);
  let outgoing: ClientRequest;
  const fail = (error: unknown, status?: number, bytes = 0) => {
    answerRefusal(response, refusalOf(connectionError(error, target.url)));
    resolve({ status: status ?? response.statusCode, bytes, error });
  };
  try {
    const headers = requestHeaders(request, target, world.via);
    outgoing = world.upstream.request(target, request.method ?? 'GET', headers);
  } catch (error) {
    fail(error);
    return;
  }
  let answered = false;
  const onGone = () => {
    if (!response.writableFinished) outgoing.destroy();
  };
  response.once('close', onGone);
  outgoing.once('error', (error: NodeJS.ErrnoException) => {
    if (answered) return;
    response.off('close', onGone);
    if (response.destroyed) return resolve({ status: undefined, bytes: 0, error });
    // The origin closed a connection that was kept for the next request, which it has not seen.
    const unseen = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
    if (unseen && !withBody && mayRepeat) attempt(world, ask, resolve, false);
    else fail(error);
  });
  outgoing.once('response', (incoming) => {
    answered = true;
    passBack(world, ask, incoming, resolve);
  });
  if (!withBody) outgoing.end();
  else request.pipe(outgoing);
}

function passBack(
  { via, metrics, upstream }: DirectWorld,
  { response, route, target }: ForwardAsk,
  incoming: IncomingMessage,
  resolve: (end: DirectEnd) => void,
): void {
  const status = incoming.statusCode ?? 502;
  let bytes = 0;
  try {
    // Its clients follow a redirect without asking this proxy again.
    if (route === 'prefix') judgeRedirect(upstream, incoming, target);
    const headers = withVia(endToEnd(incoming.rawHeaders), via);
    response.writeHead(status, incoming.statusMessage, [...headers, 'X-Shoal-From', 'direct']);
  } catch (error) {
    incoming.destroy();
    answerRefusal(response, refusalOf(error));
    return resolve({ status: response.statusCode, bytes, error });
  }
  pipeline(incoming, response, (error) => resolve({ status, bytes, ...(error ? { error } : {}) }));
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    metrics.proxySent(chunk.length);
  });
}

/** @throws ERR_SOURCE_ADDRESS_REFUSED */
function judgeRedirect(upstream: Upstream, { headers }: IncomingMessage, { url }: Target): void {
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, url.href)) return;
  const next = new URL(location, url);
  upstream.judge({ host: next.hostname, port: portOf(next) });
}

function requestHeaders(request: IncomingMessage, target: Target, via: string): string[] {
  const kept = withVia(endToEnd(request.rawHeaders, ['host', 'expect', 'content-length']), via);
  return ['Host', hostHeader(target), ...kept, ...framingOf(request)];
}

/**
 * How the body is told from what follows it, as it was read here: a client that names Content-Length in `Connection`
 * must not have it taken away, or its body is the next request of a connection that others use.
 */
function framingOf({ headers, method = 'GET' }: IncomingMessage): string[] {
  if (headers['transfer-encoding'] !== undefined) return ['Transfer-Encoding', 'chunked'];
  const length = headers['content-length'] ?? (['POST', 'PUT', 'PATCH'].includes(method) ? '0' : undefined);
  return length === undefined ? [] : ['Content-Length', length];
}
