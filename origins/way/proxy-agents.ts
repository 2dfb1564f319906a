import { Agent, type AgentOptions, type ClientRequestArgs, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { ShoalError } from '../../core/errors.ts';
import { type ProxyServer, proxyAuthorization } from './proxy-choice.ts';
import { askSocks } from './socks.ts';

/** Where a connection through a proxy leads, and who judges that. */
export interface Passage {
  readonly host: string;
  readonly port: number;
  /** Resolves where the origin may be read. @throws ERR_SOURCE_ADDRESS_REFUSED */
  readonly admit: () => Promise<void>;
}

type Made = (error: Error | null, socket?: Duplex) => void;
type Given = ClientRequestArgs & { readonly admit?: Passage['admit'] };

/**
 * Connections for requests of `http:` URLs: to an HTTP proxy, which they name whole, or through a tunnel of another; each is
 * kept for one origin alone, which is judged before it is made.
 */
export class ProxyAgent extends Agent {
  readonly #server: ProxyServer;
  readonly #connectMs: number;

  constructor(server: ProxyServer, connectMs: number, options: AgentOptions) {
    super(options);
    this.#server = server;
    this.#connectMs = connectMs;
  }

  override createConnection(options: Given, made: Made): undefined {
    const connected =
      this.#server.speaks === 'socks5'
        ? openTunnel(this.#server, passageOf(options, 80), this.#connectMs)
        : admitted(options).then(() => openProxy(this.#server, this.#connectMs));
    connected.then((socket) => made(null, socket), made);
  }
}

/** Connections of TLS to origins, through tunnels of a proxy. */
export class TunnelAgent extends TlsAgent {
  readonly #server: ProxyServer;
  readonly #connectMs: number;

  constructor(server: ProxyServer, connectMs: number, options: TlsAgentOptions) {
    super(options);
    this.#server = server;
    this.#connectMs = connectMs;
  }

  override createConnection(options: Given, made: Made): undefined {
    openTunnel(this.#server, passageOf(options, 443), this.#connectMs)
      .then((socket) => {
        const within = { ...options, socket };
        return secured(super.createConnection(within), this.#connectMs);
      })
      .then((socket) => made(null, socket), made);
  }
}

function passageOf(options: Given, usualPort: number): Passage {
  const { host, port } = options;
  return { host: host ?? '', port: Number(port ?? usualPort), admit: () => admitted(options) };
}

type TlsAgentOptions = ConstructorParameters<typeof TlsAgent>[0];

/** A tunnel of a proxy to an origin that may be read. @throws ERR_SOURCE_ADDRESS_REFUSED, ERR_SOURCE_UNAVAILABLE */
export async function openTunnel(server: ProxyServer, passage: Passage, connectMs: number): Promise<Socket> {
  await passage.admit();
  const { host, port } = passage;
  if (server.speaks === 'socks5') return openSocks(server, { host, port }, connectMs);
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const headers = { host: authority, ...proxyAuthorization(server) };
  const proxy = { host: server.host, port: server.port, agent: false } as const;
  const given = { ...proxy, method: 'CONNECT', path: authority, headers, timeout: connectMs };
  return new Promise((resolve, reject) => {
    const request = server.speaks === 'https' ? requestHttps(given) : requestHttp(given);
    const refuse = (what: string) => {
      reject(new ShoalError('ERR_SOURCE_UNAVAILABLE', `${nameOf(server)} ${what}`));
      request.destroy();
    };
    request.on('error', (cause) => reject(unreachable(server, cause)));
    request.once('timeout', () => refuse(`opened no way to ${authority} within ${connectMs} ms`));
    request.once('response', ({ statusCode = 0 }) => refuse(`answers CONNECT with ${statusCode}`));
    request.once('connect', ({ statusCode = 0 }, socket, head) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        return refuse(`answers CONNECT with ${statusCode}`);
      }
      socket.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.end();
  });
}

async function openSocks(
  server: ProxyServer,
  to: { readonly host: string; readonly port: number },
  connectMs: number,
): Promise<Socket> {
  const socket = await openProxy(server, connectMs);
  const signal = AbortSignal.timeout(connectMs);
  try {
    await askSocks(socket, { ...to, login: server.login }, signal);
    return socket;
  } catch (cause) {
    socket.destroy();
    const did = signal.aborted ? `opened no way within ${connectMs} ms` : (cause as Error).message;
    throw new ShoalError('ERR_SOURCE_UNAVAILABLE', `${nameOf(server)} ${did}`, { cause });
  }
}

/** A proxy in messages: never its credentials. */
function nameOf({ host, port }: ProxyServer): string {
  return `the proxy ${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Looks an origin's name up as where it is read directly, so that it is refused for the same addresses. What has no
 * address here may have one at the proxy.
 */
export function admitBy(
  { host, port }: Pick<Passage, 'host' | 'port'>,
  lookup: LookupFunction,
  mayBeUnseen: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    lookup(host, { all: true }, (error) => {
      if (error === null) return resolve();
      const { code = '' } = error;
      const isUnseen = ['ENOTFOUND', 'ENODATA', 'EAI_AGAIN'].includes(code);
      if (isUnseen && mayBeUnseen) return resolve();
      reject(isUnseen ? new ShoalError('ERR_SOURCE_ADDRESS_REFUSED', unseen(host, port)) : error);
    });
  });
}

function unseen(host: string, port: number): string {
  return `${host}:${port} has no address here, and is not an origin to read from by its name`;
}

function admitted({ admit }: Given): Promise<void> {
  if (admit !== undefined) return admit();
  return Promise.reject(new ShoalError('ERR_INTERNAL', 'nobody judges where a proxy leads'));
}

function openProxy(server: ProxyServer, connectMs: number): Promise<Socket> {
  const { host, port } = server;
  const secure = server.speaks === 'https';
  const socket = secure ? connectTls({ host, port, servername: host }) : connect({ host, port });
  return secured(socket, connectMs, secure ? 'secureConnect' : 'connect').catch((cause: unknown) => {
    throw unreachable(server, cause);
  });
}

/** A socket once it is what it is to be. */
function secured<T extends Duplex>(
  socket: T | null | undefined,
  connectMs: number,
  event = 'secureConnect',
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!socket) return reject(new ShoalError('ERR_INTERNAL', 'no connection was begun'));
    const late = () => socket.destroy(new Error(`no connection within ${connectMs} ms`));
    const timer = setTimeout(late, connectMs);
    const done = (settle: () => void) => {
      clearTimeout(timer);
      socket.off('error', onError);
      settle();
    };
    const onError = (error: Error) => done(() => reject(error));
    socket.once('error', onError);
    socket.once(event, () => done(() => resolve(socket)));
  });
}

function unreachable(server: ProxyServer, cause: unknown): ShoalError {
  if (cause instanceof ShoalError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new ShoalError('ERR_SOURCE_UNAVAILABLE', `no answer from ${nameOf(server)}: ${text}`, { cause });
}
