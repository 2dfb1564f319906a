import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { hopsOf } from '../../core/via.ts';
import { connectionError } from '../../origins/origin-error.ts';
import type { CertificateAuthority } from './ca.ts';
import type { Interceptor } from './intercept.ts';
import type { ForwardLimits } from './limits.ts';
import { cameBefore, type Refusal, refusal, refusalOf, refuseTunnel } from './reply.ts';
import type { Rules } from './rules.ts';
import { type Authority, authorityOf } from './target.ts';
import { splice, type TunnelEnd } from './tunnel.ts';
import type { Upstream } from './upstream.ts';

interface ConnectEnd {
  readonly authority: string;
  readonly kind: 'tunnel' | 'intercepted' | 'refused';
  readonly status: number;
}

/** What tunnels need. */
export interface ConnectOptions {
  readonly upstream: Upstream;
  readonly via: string;
  readonly rules: Rules;
  /** Ports that tunnels may go to. */
  readonly ports: readonly number[];
  readonly limits: ForwardLimits;
  /** Absent: tunnels are never looked into. */
  readonly intercept?: { readonly ca: CertificateAuthority; readonly interceptor: Interceptor } | undefined;
  onEnd(end: ConnectEnd & TunnelEnd): void;
}

const TLS_HANDSHAKE = 0x16;
const NONE = { up: 0, down: 0 };

/** Answers CONNECT: a tunnel whose bytes go untouched, or, with a CA, one whose requests are seen. */
export function createConnect(
  options: ConnectOptions,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const { limits } = options;
  const standing = new WeakSet<Duplex>();
  let tunnels = 0;

  return (request, socket, head) => {
    const name = (request.url ?? '').slice(0, 300);
    socket.on('error', () => socket.destroy());
    tunnels += 1;
    answer(request, socket, head)
      .then(({ kind, ...end }) => options.onEnd({ authority: name, kind, status: 200, ...end }))
      .catch((error: unknown) => {
        const why = isRefusal(error) ? error : refusalOf(error);
        // In a tunnel that stands already it would be taken for the origin's word.
        if (standing.has(socket)) socket.destroy();
        else refuseTunnel(socket, why);
        options.onEnd({ authority: name, kind: 'refused', status: why.status, ...NONE });
      })
      .finally(() => {
        tunnels -= 1;
      });
  };

  async function answer(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<TunnelEnd & { kind: 'tunnel' | 'intercepted' }> {
    if (tunnels > limits.tunnels) throw refusal(503, 'too many tunnels are open');
    if (hopsOf(request.headers.via).includes(options.via)) throw cameBefore();
    const authority = authorityOf(request.url ?? '');
    if (!options.ports.includes(authority.port)) {
      throw refusal(403, `tunnels to port ${authority.port} are refused; name it in connect-port to open it`);
    }
    options.upstream.judge(authority);
    const { intercept, rules } = options;
    if (intercept === undefined || !rules.mayUseSwarm(authority.host, authority.port)) {
      return { kind: 'tunnel', ...(await tunnel(socket, authority, head, true)) };
    }
    const context = await intercept.ca.contextFor(authority.host);
    if (socket.destroyed) return { kind: 'intercepted', ...NONE };
    establish(socket);
    const first = head.length > 0 ? head : await firstBytes(socket, limits.silentClientMs);
    if (first === undefined) {
      socket.destroy();
      return { kind: 'intercepted', ...NONE };
    }
    if (first[0] !== TLS_HANDSHAKE || !(socket instanceof Socket)) {
      return { kind: 'tunnel', ...(await tunnel(socket, authority, first, false)) };
    }
    socket.unshift(first);
    await intercept.interceptor.take(socket, authority, context);
    return { kind: 'intercepted', up: socket.bytesRead, down: socket.bytesWritten };
  }

  async function tunnel(
    socket: Duplex,
    authority: Authority,
    head: Buffer,
    tell: boolean,
  ): Promise<TunnelEnd> {
    const url = new URL(
      `http://${authority.host.includes(':') ? `[${authority.host}]` : authority.host}:${authority.port}`,
    );
    const origin = await options.upstream.connect(authority).catch((error: unknown) => {
      throw connectionError(error, url);
    });
    if (tell) establish(socket);
    return splice(socket, origin, head, limits);
  }

  function establish(socket: Duplex): void {
    standing.add(socket);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  }
}

/** What the client says first; empty where it waits for the origin to speak, undefined where it went away. */
function firstBytes(socket: Duplex, limitMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const done = (bytes: Buffer | undefined) => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onGone);
      socket.off('close', onGone);
      resolve(bytes);
    };
    const onReadable = () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes !== null) done(bytes);
    };
    const onGone = () => done(undefined);
    const timer = setTimeout(() => done(Buffer.alloc(0)), limitMs);
    socket.on('readable', onReadable);
    socket.once('end', onGone);
    socket.once('close', onGone);
  });
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && !(value instanceof Error) && 'status' in value;
}
