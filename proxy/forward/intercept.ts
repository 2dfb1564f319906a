import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { framingFault } from '../framing.ts';
import { refuseUnread } from '../plain-answer.ts';
import { type ProxyRequest, proxyRequest } from '../request.ts';
import type { ForwardLimits } from './limits.ts';
import { answerRefusal, refusal } from './reply.ts';
import { type Authority, originTargetOf, type Target } from './target.ts';

type Answer = (target: Target, asked: ProxyRequest) => void;

/** Speaks TLS with clients in the place of origins, and hands on what they ask. */
export interface Interceptor {
  /** Takes over a tunnel whose client begins a TLS handshake. Resolves when it has closed. */
  take(socket: Socket, authority: Authority, context: SecureContext): Promise<void>;
}

const MAX_REQUESTS = 16;

/** One intercepted connection. A server that does not listen keeps no time of its own over headers: `timer` does. */
interface Row {
  readonly authority: Authority;
  timer: NodeJS.Timeout;
  requests: number;
}

/** Requests of intercepted connections go to `answer`, each for the host and port of its CONNECT. */
export function createInterceptor(limits: ForwardLimits, answer: Answer): Interceptor {
  const rows = new WeakMap<Socket, Row>();
  const server = createServer({ maxHeaderSize: limits.headerBytes, highWaterMark: 256 * 1024 });
  // Their size is bounded; a count would drop the rest in silence, a second Host among them.
  server.maxHeadersCount = 0;
  server.keepAliveTimeout = limits.headersMs;
  server.timeout = limits.idleMs;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // An answer is under way: another in its middle would be taken for a part of it.
    if ((rows.get(socket)?.requests ?? 0) > 0) return void socket.destroySoon();
    refuseUnread(error, socket);
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const row = rows.get(socket);
    if (row === undefined || row.requests >= MAX_REQUESTS) return void socket.destroy();
    row.requests += 1;
    clearTimeout(row.timer);
    response.once('close', () => {
      row.requests -= 1;
      if (row.requests === 0 && !socket.destroyed) row.timer = cutAfter(socket, limits.headersMs);
    });
    const target = targetIn(request, row.authority);
    if (typeof target === 'string')
      answerRefusal(response, refusal(target === WRONG_HOST ? 421 : 400, target));
    else answer(target, proxyRequest(request, response));
  });

  return {
    take(socket, authority, context) {
      return new Promise((resolve) => {
        const tls = new TLSSocket(socket, {
          isServer: true,
          secureContext: context,
          ALPNProtocols: ['http/1.1'],
          SNICallback: (name, done) =>
            name.toLowerCase() === authority.host
              ? done(null, context)
              : done(new Error(`the tunnel is to ${authority.host}, not to ${name}`)),
        });
        const row: Row = { authority, timer: cutAfter(tls, limits.handshakeMs), requests: 0 };
        rows.set(tls, row);
        tls.once('secure', () => {
          clearTimeout(row.timer);
          if (row.requests === 0) row.timer = cutAfter(tls, limits.headersMs);
        });
        tls.on('error', () => tls.destroy());
        tls.once('close', () => {
          clearTimeout(row.timer);
          socket.destroy();
        });
        socket.once('close', () => {
          tls.destroy();
          resolve();
        });
        server.emit('connection', tls);
      });
    },
  };
}

function cutAfter(socket: Socket, ms: number): NodeJS.Timeout {
  return setTimeout(() => socket.destroy(), ms);
}

const WRONG_HOST = 'the Host is not that of the tunnel';

/** What is asked for, or what is wrong with the request. */
function targetIn(request: IncomingMessage, authority: Authority): Target | string {
  const fault = framingFault(request);
  if (fault !== undefined) return fault;
  const { url = '', headers } = request;
  if (!url.startsWith('/')) return 'the target is not a path';
  const origin = `https://${authority.host.includes(':') ? `[${authority.host}]` : authority.host}:${authority.port}`;
  try {
    const target = originTargetOf(`${origin}${url}`);
    return hostOf(headers.host) === target.url.host ? target : WRONG_HOST;
  } catch {
    return 'the target cannot be read';
  }
}

function hostOf(header: string | undefined): string | undefined {
  const text = `https://${header}/`;
  return header !== undefined && /^[a-z0-9._[\]:-]+$/i.test(header) && URL.canParse(text)
    ? new URL(text).host
    : undefined;
}
