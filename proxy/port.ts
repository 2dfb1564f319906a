import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { PortConnections } from './connections.ts';
import type { ForwardHandler } from './forward-handler.ts';
import { framingFault } from './framing.ts';
import { endWith, plainAnswer, refuseUnread } from './plain-answer.ts';
import { type ProxyRequest, proxyRequest } from './request.ts';

/** What the proxy port is made of. */
export interface ProxyPortOptions {
  readonly listen: string;
  /** 0: any free one. */
  readonly port: number;
  /** Answers `/v2/…`. */
  readonly mirror: (asked: ProxyRequest) => void;
  readonly forward: ForwardHandler;
  readonly logger: Logger;
  /** Others than `PROXY_LIMITS`. */
  readonly limits?: Partial<Readonly<Record<keyof typeof PROXY_LIMITS, number>>>;
}

/** A listening proxy port. */
export interface ProxyPort extends AsyncDisposable {
  /** HOST:PORT, IPv6 in brackets. */
  readonly address: string;
  readonly port: number;
}

/** Bounds of the proxy port. */
const PROXY_LIMITS = {
  headerBytes: 16 * 1024,
  headerMs: 10_000,
  /** An answered connection without another request. */
  idleMs: 60_000,
  /** A connection on which no byte moves while a request is under way: a client that does not read. */
  stuckMs: 120_000,
  connections: 2048,
  connectionsPerAddress: 1024,
  requestsPerConnection: 16,
  /** How long a closing port waits for what it is answering. */
  closeMs: 2_000,
} as const;

/**
 * Serves the mirror and the forward proxy. @throws ERR_CONFIG_INVALID where the port cannot be listened on
 */
export async function startProxyPort(options: ProxyPortOptions): Promise<ProxyPort> {
  const limits = { ...PROXY_LIMITS, ...options.limits };
  const connections = new PortConnections({
    most: limits.connections,
    mostPerAddress: limits.connectionsPerAddress,
    mostRequests: limits.requestsPerConnection,
  });
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headerMs,
    // A body may take its time, through the forward proxy; a connection that is stuck is closed all the same.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headerMs),
    highWaterMark: 256 * 1024,
  });
  // Their size is bounded; a count would drop the rest in silence.
  server.maxHeadersCount = 0;
  server.timeout = limits.stuckMs;
  server.on('connection', (socket: Socket) => connections.add(socket));
  server.on('request', (request, response) => {
    const { socket } = request;
    response.on('close', () => connections.end(socket));
    if (!connections.begin(socket)) return void socket.destroy();
    route(request, response, options);
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // It stays at work until it closes.
    connections.begin(request.socket);
    request.socket.setTimeout(0);
    socket.on('error', () => socket.destroy());
    const fault = framingFault(request);
    if (fault === undefined) return options.forward.connect(request, socket, head);
    endWith(socket, plainAnswer(400, fault));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // An answer is under way: another in its middle would be taken for a part of it.
    if (connections.isAtWork(socket)) return void socket.destroySoon();
    refuseUnread(error, socket);
  });
  await listening(server, options, connections);
  const { port } = server.address() as AddressInfo;
  const { listen } = options;
  return {
    port,
    address: listen.includes(':') ? `[${listen}]:${port}` : `${listen}:${port}`,
    [Symbol.asyncDispose]: () => close(server, connections, limits.closeMs),
  };
}

function route(request: IncomingMessage, response: ServerResponse, options: ProxyPortOptions): void {
  const fault = framingFault(request);
  if (fault !== undefined) return answer(response, 400, fault);
  const target = request.url ?? '';
  if (/^https?:\/\//i.test(target)) return options.forward.request(proxyRequest(request, response));
  if (/^\/v2(?:[/?]|$)/.test(target)) return options.mirror(proxyRequest(request, response));
  if (target.startsWith('/blobs/')) return options.forward.prefix(proxyRequest(request, response));
  if (/^\/healthz(?:\?|$)/.test(target) && (request.method === 'GET' || request.method === 'HEAD')) {
    return answer(response, 200, 'ok');
  }
  answer(response, 404, 'nothing here: the registry mirror is at /v2/');
}

function answer(response: ServerResponse, status: number, text: string): void {
  // What may still come of the request is not read.
  if (status !== 200) response.setHeader('connection', 'close');
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text) + 1,
  });
  response.end(`${text}\n`);
}

function listening(
  server: Server,
  { listen, port, logger }: ProxyPortOptions,
  connections: PortConnections,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error) => {
      const message = `cannot listen on the proxy port: ${cause.message}`;
      reject(new ShoalError('ERR_CONFIG_INVALID', message, { cause }));
    };
    server.once('error', onError);
    server.listen({ host: listen, port, backlog: 1024 }, () => {
      server.off('error', onError);
      // The system has closed those that waited to be taken: the next ones find room.
      server.on('error', (err) => {
        connections.closeIdlest();
        logger.warn({ err }, 'a connection to the proxy port cannot be taken');
      });
      resolve();
    });
  });
}

/** Takes no more, lets what is being answered end for a moment, then closes everything. */
function close(server: Server, connections: PortConnections, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => connections.closeAll(), waitMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    connections.closeIdle();
  });
}
