import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { createBufferPool } from '../core/buffer-pool.ts';
import { ShoalError } from '../core/errors.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Logger } from '../core/logger.ts';
import { formatContentRange } from '../core/ranges.ts';
import type { Admit } from './admission.ts';
import { BOUNDS } from './bounds.ts';
import type { DataTls, FindTask, RangeServer, ServedTask } from './data-plane.ts';
import { encodeHave } from './have-body.ts';
import type { Credentials } from './http-data-plane.ts';
import type { Limiter } from './limiter.ts';
import { type Grant, grantRange, parseRoute, type Route } from './route.ts';
import { serveBoth } from './secure-server.ts';
import { sendBody } from './send-body.ts';
import { Connections } from './server-connections.ts';

/** What a server of ranges is made of. */
export interface RangeServerOptions {
  /** Address to listen on. */
  /** Absent: every address. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly shelf: FindTask;
  readonly admission: Admit;
  /** What encrypted connections are proven with; undefined until a scheduler has answered. */
  readonly credentials: () => Credentials | undefined;
  /** What is refused in clear (426): what is not public, all, or nothing. */
  readonly tls: DataTls;
  readonly logger: Logger;
  /** Uploads at once; LIMITS.slotsUp unless given. */
  readonly slots?: number;
  /** Bounds the bytes sent, all uploads together. */
  readonly limiter?: Limiter | undefined;
  /** Called at the end of each upload, whole or not, with the body bytes that went out. */
  readonly onServed?: (bytes: number, child: HostId) => void;
  /** Connections of children; BOUNDS.connectionsUp unless given. */
  readonly maxConnections?: number;
  /** A reader that takes no byte for this long is cut off; BOUNDS.readerStallMs unless given. */
  readonly readerStallMs?: number;
}

/** Starts the parent's side of the data plane. @throws ERR_CONFIG_INVALID where it cannot listen */
export async function startRangeServer(options: RangeServerOptions): Promise<RangeServer> {
  const serving = new Serving(options);
  const server = createServer(
    {
      maxHeaderSize: BOUNDS.requestHeadBytes,
      headersTimeout: BOUNDS.requestHeadMs,
      requestTimeout: BOUNDS.requestHeadMs,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: BOUNDS.parentIdleMs,
      noDelay: true,
    },
    (request, response) => void serving.answer(request, response),
  );
  server.timeout = options.readerStallMs ?? BOUNDS.readerStallMs;
  serveBoth(server, options.credentials, {
    accepted: (socket) => serving.connections.accepted(socket),
    opened: (socket) => serving.connections.opened(socket),
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.on('checkContinue', (request: IncomingMessage) => request.socket.destroy());
  server.on('upgrade', (_request, socket) => socket.destroy());
  server.on('connect', (_request, socket) => socket.destroy());
  await listen(server, options.host, options.port);
  // The system has closed those that waited to be taken.
  server.on('error', (err) => {
    serving.connections.closeIdlest();
    options.logger.warn({ err }, 'a connection of a child cannot be taken');
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    slots: serving.slots,
    get uploading() {
      return serving.uploading;
    },
    get sentBytes() {
      return serving.sentBytes;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        serving.connections.closeAll();
      }),
  };
}

function listen(server: Server, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `cannot listen on ${host ?? 'any address'}, port ${port}, for other hosts: ${cause.message}`;
      reject(new ShoalError('ERR_CONFIG_INVALID', message, { cause }));
    });
    server.listen({ ...(host !== undefined && { host }), port, backlog: 511 }, resolve);
  });
}

/** Answers requests; what they share. */
class Serving {
  readonly slots: number;
  readonly connections: Connections;
  uploading = 0;
  sentBytes = 0;
  readonly #options: RangeServerOptions;
  readonly #pool;
  #haveAnswers = 0;

  constructor(options: RangeServerOptions) {
    this.#options = options;
    this.slots = options.slots ?? LIMITS.slotsUp;
    this.connections = new Connections(options.admission, options.maxConnections ?? BOUNDS.connectionsUp);
    this.#pool = createBufferPool(BOUNDS.sendBufferBytes, this.slots * 2);
  }

  /** Never rejects: what goes wrong costs this connection and nothing else. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    response.sendDate = false;
    const entry = this.connections.enter(socket, request.headers.authorization);
    if (entry.kind === 'overlapping') return void socket.destroy();
    response.once('close', () => this.connections.leave(socket));
    try {
      if (entry.kind === 'refused') {
        this.#options.logger.debug({ remote: socket.remoteAddress, why: entry.why }, 'request refused');
        return refuse(response, entry.status, true);
      }
      if (hasBody(request)) return refuse(response, 400, true);
      if (entry.last) response.setHeader('Connection', 'close');
      const route = parseRoute(request.url);
      if (route === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
        return refuse(response, 404);
      }
      if (route.kind === 'have') await this.#answerHave(route, request, response);
      else await this.#answerContent(route, request, response, entry.hostId);
    } catch (error) {
      if (!socket.destroyed)
        this.#options.logger.warn({ err: error, child: socket.remoteAddress }, 'upload cut');
      socket.destroy();
    }
  }

  async #answerHave(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#haveAnswers >= BOUNDS.haveAnswers) return refuse(response, 503);
    this.#haveAnswers += 1;
    response.once('close', () => {
      this.#haveAnswers -= 1;
    });
    const task = await this.#options.shelf(route.taskId);
    if (task === undefined) return refuse(response, 404);
    if (this.#mustHide(task, request)) return refuse(response, 426);
    const body = encodeHave(task);
    response.writeHead(200, { 'Content-Type': 'application/msgpack', 'Content-Length': body.length });
    response.end(body);
  }

  async #answerContent(
    route: Route,
    request: IncomingMessage,
    response: ServerResponse,
    child: HostId,
  ): Promise<void> {
    if (this.uploading >= this.slots) return refuse(response, 503);
    this.uploading += 1;
    let unpin: (() => void) | undefined;
    try {
      const task = await this.#options.shelf(route.taskId);
      if (task === undefined) return refuse(response, 404);
      if (this.#mustHide(task, request)) return refuse(response, 426);
      unpin = task.pin();
      const grant = grantRange(task, request.headers.range);
      if (grant.range === undefined) return refuse(response, grant.status);
      writeHead(response, task, grant);
      const empty = grant.range.end === grant.range.start;
      if (request.method === 'HEAD' || empty) return void response.end();
      await this.#upload(response, task, grant.range, child);
    } finally {
      unpin?.();
      this.uploading -= 1;
    }
  }

  /** Whether the content may not cross the network as this request came. */
  #mustHide({ audience }: ServedTask, { socket }: IncomingMessage): boolean {
    const { tls } = this.#options;
    if (tls === 'off' || socket instanceof TLSSocket) return false;
    return tls === 'all' || audience !== 'public';
  }

  async #upload(
    response: ServerResponse,
    task: ServedTask,
    range: { start: number; end: number },
    child: HostId,
  ): Promise<void> {
    const { limiter, onServed } = this.#options;
    const deadline = setTimeout(() => response.destroy(), this.#longestMs(range.end - range.start));
    let sent = 0;
    const onSent = (bytes: number) => {
      sent += bytes;
      this.sentBytes += bytes;
    };
    try {
      await sendBody(response, task, range, { pool: this.#pool, limiter, onSent });
    } finally {
      clearTimeout(deadline);
      onServed?.(sent, child);
    }
  }

  /** A reader that takes a byte now and then must not hold a slot for ever; the limiter may slow it down. */
  #longestMs(bytes: number): number {
    const { limiter } = this.#options;
    const slowest = limiter === undefined ? BOUNDS.readerMinPerSec : limiter.bytesPerSec / (2 * this.slots);
    return 3 * BOUNDS.readerStallMs + (bytes / Math.min(BOUNDS.readerMinPerSec, slowest)) * 1000;
  }
}

function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

function refuse(response: ServerResponse, status: number, close = false): void {
  if (close) response.setHeader('Connection', 'close');
  if (status === 503) response.setHeader('Retry-After', '1');
  response.writeHead(status, { 'Content-Length': 0 });
  response.end();
}

function writeHead(response: ServerResponse, task: ServedTask, grant: Grant & { status: 200 | 206 }): void {
  const { start, end } = grant.range;
  response.writeHead(grant.status, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': end - start,
    ...(grant.status === 206
      ? { 'Content-Range': formatContentRange({ start, end, total: task.length }) }
      : {}),
  });
}
