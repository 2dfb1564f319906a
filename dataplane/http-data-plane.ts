import type { Clock } from '../core/clock.ts';
import { type ErrorCode, ShoalError } from '../core/errors.ts';
import type { HostAddress } from '../core/host.ts';
import type { TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type ByteRange, formatRange, parseContentRange } from '../core/ranges.ts';
import { formatAuthorization } from './authorization.ts';
import { BOUNDS } from './bounds.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { ByteSink, DataPlane, HaveReply } from './data-plane.ts';
import { decodeHave, HAVE_BODY_BYTES } from './have-body.ts';
import type { Limiter } from './limiter.ts';
import { cancelled, type OnHead, type PeerTimes } from './peer-connection.ts';
import type { ResponseHead } from './response-head.ts';
import type { SigningKey } from './signing-key.ts';

/** What a child proves itself with. */
export interface Credentials {
  readonly token: string;
  readonly identity: SigningKey;
}

/** What the child's side of the data plane is made of. */
export interface DataPlaneOptions {
  /** Undefined until a scheduler has answered. */
  readonly credentials: () => Credentials | undefined;
  readonly clock: Pick<Clock, 'wall'>;
  /** Bounds the bytes received, all transfers together. */
  readonly limiter?: Limiter | undefined;
  readonly maxConnectionsPerParent?: number;
  readonly maxConnections?: number;
  /** LIMITS' connectMs, firstByteMs and idleMs unless given. */
  readonly times?: Partial<PeerTimes>;
  readonly receiveBufferBytes?: number;
}

const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map([
  [401, 'ERR_AUTH_DENIED'],
  [404, 'ERR_PEER_MISSING'],
  [416, 'ERR_PEER_MISSING'],
  [425, 'ERR_AUTH_KEY_UNKNOWN'],
  [500, 'ERR_PEER_UNAVAILABLE'],
  [503, 'ERR_PEER_BUSY'],
]);

/** The data plane over HTTP/1.1, one connection for each transfer at a time, kept alive between them. */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { connectMs, firstByteMs, idleMs } = LIMITS;
  const most = options.limiter?.quantumBytes ?? Number.POSITIVE_INFINITY;
  const pool = new ConnectionPool({
    times: { connectMs, firstByteMs, idleMs, ...options.times },
    bufferBytes: Math.min(options.receiveBufferBytes ?? BOUNDS.receiveBufferBytes, most),
    perParent: options.maxConnectionsPerParent ?? BOUNDS.connectionsDownPerParent,
    inAll: options.maxConnections ?? BOUNDS.connectionsDown,
  });

  /** Sends one request to a parent, and once more where a kept connection turns out to be closed. */
  async function ask(
    parent: HostAddress,
    request: { readonly path: string; readonly range?: ByteRange },
    onHead: OnHead,
    signal: AbortSignal,
  ): Promise<void> {
    for (let fresh = false; ; fresh = true) {
      const credentials = options.credentials();
      if (credentials === undefined) {
        throw new ShoalError('ERR_AUTH_DENIED', 'this host has no membership token yet');
      }
      const connection = await pool.acquire(parent, fresh, signal);
      const { used } = connection;
      const authorization = used
        ? undefined
        : formatAuthorization(credentials.identity, credentials.token, parent.hostId, options.clock.wall());
      try {
        return await connection.exchange(requestHead(parent, request, authorization), onHead, signal);
      } catch (error) {
        const stale = used && !connection.answered && isCode(error, 'ERR_PEER_UNAVAILABLE');
        if (!stale || fresh) throw error;
      } finally {
        pool.release(connection);
      }
    }
  }

  return {
    async fetch({ parent, taskId, range }, sink, signal) {
      if (signal.aborted) throw cancelled(signal);
      let refused: ShoalError | undefined;
      const onHead: OnHead = (head) => {
        refused = refusalOf(head, parent);
        if (refused !== undefined) return discard;
        checkContent(head, range, parent);
        return limited(sink, options.limiter);
      };
      await ask(parent, { path: pathOf(taskId), range }, onHead, signal);
      if (refused !== undefined) throw refused;
    },

    async have(parent, taskId, signal): Promise<HaveReply> {
      if (signal.aborted) throw cancelled(signal);
      let refused: ShoalError | undefined;
      const chunks: Uint8Array[] = [];
      const onHead: OnHead = (head) => {
        refused = refusalOf(head, parent);
        if (refused !== undefined) return discard;
        if (head.status !== 200 || head.contentLength > HAVE_BODY_BYTES) {
          throw protocol(parent, `answered 'have' with status ${head.status}, ${head.contentLength} bytes`);
        }
        chunks.length = 0;
        return limited((chunk) => void chunks.push(chunk.slice()), options.limiter);
      };
      await ask(parent, { path: `${pathOf(taskId)}/have` }, onHead, signal);
      if (refused !== undefined) throw refused;
      const reply = decodeHave(Buffer.concat(chunks));
      if (reply === undefined) throw protocol(parent, `sent a malformed 'have'`);
      return reply;
    },

    async close() {
      pool.close();
    },
  };
}

function pathOf(taskId: TaskId): string {
  return `/v1/task/${taskId}`;
}

function requestHead(
  parent: HostAddress,
  request: { readonly path: string; readonly range?: ByteRange },
  authorization: string | undefined,
): string {
  const host = parent.ip.includes(':') ? `[${parent.ip}]` : parent.ip;
  return [
    `GET ${request.path} HTTP/1.1`,
    `Host: ${host}:${parent.port}`,
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    ...(request.range === undefined ? [] : [`Range: ${formatRange(request.range)}`]),
    '\r\n',
  ].join('\r\n');
}

function discard(): void {}

/** The sink, held back as the limiter says. */
function limited(sink: ByteSink, limiter: Limiter | undefined): ByteSink {
  if (limiter === undefined) return sink;
  return (chunk) => {
    const wait = limiter.take(chunk.length);
    return wait === undefined ? sink(chunk) : wait.then(() => sink(chunk));
  };
}

/** The error that a refusal stands for. @throws ERR_PEER_PROTOCOL for a status our server never sends */
function refusalOf(head: ResponseHead, parent: HostAddress): ShoalError | undefined {
  if (head.status === 200 || head.status === 206) return undefined;
  const code = REFUSALS.get(head.status);
  if (code === undefined || head.contentLength > BOUNDS.refusalBytes) {
    throw protocol(parent, `answered with status ${head.status}`);
  }
  return new ShoalError(code, `host ${parent.hostId} answered ${head.status}`, {
    details: { hostId: parent.hostId, status: head.status },
  });
}

function checkContent(head: ResponseHead, range: ByteRange, parent: HostAddress): void {
  const sent = parseContentRange(head.headers.get('content-range'));
  const length = range.end - range.start;
  if (
    head.status !== 206 ||
    sent?.start !== range.start ||
    sent.end !== range.end ||
    head.contentLength !== length
  ) {
    throw protocol(parent, `answered ${formatRange(range)} with other bytes`);
  }
}

function protocol(parent: HostAddress, what: string): ShoalError {
  return new ShoalError('ERR_PEER_PROTOCOL', `host ${parent.hostId} ${what}`, {
    details: { hostId: parent.hostId },
  });
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof ShoalError && error.code === code;
}
