import type { X509Certificate } from 'node:crypto';
import { type ErrorCode, ShoalError } from '../core/errors.ts';
import type { HostAddress } from '../core/host.ts';
import type { TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type ByteRange, formatRange, parseContentRange } from '../core/ranges.ts';
import { judgeCertificate, type MemberRules } from './admission.ts';
import { formatAuthorization } from './authorization.ts';
import { BOUNDS } from './bounds.ts';
import { certificateFor } from './certificate.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { ByteSink, ContentRequest, DataPlane, DataTls, HaveReply } from './data-plane.ts';
import { decodeHave, HAVE_BODY_BYTES } from './have-body.ts';
import type { Limiter } from './limiter.ts';
import { type OnHead, type PeerTimes, transferCancelled } from './peer-connection.ts';
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
  /** Whom this host takes for a parent on an encrypted connection. */
  readonly members: MemberRules;
  /** What is asked for on encrypted connections; what a parent refuses in clear is asked for so all the same. */
  readonly tls: DataTls;
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
  [426, 'ERR_PEER_UNAVAILABLE'],
  [500, 'ERR_PEER_UNAVAILABLE'],
  [503, 'ERR_PEER_BUSY'],
]);

/** The data plane over HTTP/1.1, one connection for each transfer at a time, kept alive between them. */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const { connectMs, firstByteMs, idleMs } = LIMITS;
  const most = options.limiter?.quantumBytes ?? Number.POSITIVE_INFINITY;
  const ownCertificate = certificates();
  const pool = new ConnectionPool({
    times: { connectMs, firstByteMs, idleMs, ...options.times },
    bufferBytes: Math.min(options.receiveBufferBytes ?? BOUNDS.receiveBufferBytes, most),
    perParent: options.maxConnectionsPerParent ?? BOUNDS.connectionsDownPerParent,
    inAll: options.maxConnections ?? BOUNDS.connectionsDown,
  });

  /** A proof admits once: no two are of the same moment. */
  let provenMs = 0;
  const proofTime = () => {
    const wallMs = Math.trunc(options.members.clock.wall());
    // A clock that was set back by more than proofs run ahead is followed: of that time none was made lately.
    provenMs = wallMs < provenMs - LIMITS.clockLeewayMs / 2 ? wallMs : Math.max(provenMs + 1, wallMs);
    return provenMs;
  };
  const isMember = (certificate: X509Certificate | undefined) =>
    judgeCertificate(options.members, certificate);

  /** Asks in clear where that is allowed, and encrypted where it is not or the parent will not have it otherwise. */
  async function ask(
    { parent, isPublic }: ContentRequest,
    request: { readonly path: string; readonly range?: ByteRange },
    onContent: OnHead,
    signal: AbortSignal,
  ): Promise<void> {
    let isSecure = options.tls === 'all' || (options.tls === 'private' && !isPublic);
    for (;;) {
      let refused: ShoalError | 'clear' | undefined;
      const onHead: OnHead = (head) => {
        refused = head.status === 426 && !isSecure ? 'clear' : refusalOf(head, parent);
        return refused === undefined ? onContent(head) : discard;
      };
      await send(parent, isSecure, request, onHead, signal);
      if (refused === undefined) return;
      if (refused !== 'clear') throw refused;
      isSecure = true;
    }
  }

  /** Sends one request to a parent, and once more where a kept connection turns out to be closed. */
  async function send(
    parent: HostAddress,
    isSecure: boolean,
    request: { readonly path: string; readonly range?: ByteRange },
    onHead: OnHead,
    signal: AbortSignal,
  ): Promise<void> {
    for (let fresh = false; ; fresh = true) {
      const credentials = options.credentials();
      if (credentials === undefined) {
        throw new ShoalError('ERR_AUTH_DENIED', 'this host has no membership token yet');
      }
      const secure = isSecure ? { ...ownCertificate(credentials), judge: isMember } : undefined;
      const connection = await pool.acquire(parent, secure, fresh, signal);
      const { used } = connection;
      const { identity, token } = credentials;
      const authorization =
        used || isSecure ? undefined : formatAuthorization(identity, token, parent.hostId, proofTime());
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
    async fetch(request, sink, signal) {
      if (signal.aborted) throw transferCancelled(signal);
      const { parent, taskId, range } = request;
      const onContent: OnHead = (head) => {
        checkContent(head, range, parent);
        return limited(sink, options.limiter);
      };
      await ask(request, { path: pathOf(taskId), range }, onContent, signal);
    },

    async have(request, signal): Promise<HaveReply> {
      if (signal.aborted) throw transferCancelled(signal);
      const { parent, taskId } = request;
      const chunks: Uint8Array[] = [];
      const onContent: OnHead = (head) => {
        if (head.status !== 200 || head.contentLength > HAVE_BODY_BYTES) {
          throw protocol(parent, `answered 'have' with status ${head.status}, ${head.contentLength} bytes`);
        }
        chunks.length = 0;
        return limited((chunk) => void chunks.push(chunk.slice()), options.limiter);
      };
      await ask(request, { path: `${pathOf(taskId)}/have` }, onContent, signal);
      const reply = decodeHave(Buffer.concat(chunks));
      if (reply === undefined) throw protocol(parent, `sent a malformed 'have'`);
      return reply;
    },

    async close() {
      pool.close();
    },
  };
}

/** The certificate of a token, made once. */
function certificates(): (credentials: Credentials) => { readonly cert: string; readonly key: string } {
  let known: { readonly token: string; readonly pem: { cert: string; key: string } } | undefined;
  return ({ identity, token }) => {
    if (known?.token !== token) known = { token, pem: certificateFor(identity, token) };
    return known.pem;
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
