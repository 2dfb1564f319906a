import { readFileSync } from 'node:fs';
import { type ConnectionOptions, credsAuthenticator } from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { isToken } from './address.ts';

/** How a daemon proves itself to NATS. */
export type NatsCredentials =
  | { readonly user: string; readonly pass: string }
  | { readonly token: string }
  /** Path of a `.creds` file, read again at every connection. */
  | { readonly credsFile: string };

/** Where NATS is, and as whom to join it. */
export interface NatsTarget {
  /** `nats://host:port`, `tls://…`, or a list of them; user-info in a URL stands for credentials. */
  readonly servers: string | readonly string[];
  /** Name of this client; its inbox is `_INBOX_SHOAL.<name>.>`. One subject token. */
  readonly name: string;
  readonly credentials?: NatsCredentials;
  /** Time between pings, ms; a link that hangs is noticed within three of them. */
  readonly pingMs?: number;
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
}

const DIAL_MS = 3_000;
const PING_MS = 4_000;
/** Pings unanswered before the link counts as dead. */
const PINGS_OUT = 2;
const RECONNECT_MS = 250;

/** Prefix of every reply subject of a client. */
export function inboxPrefix(name: string): string {
  return `_INBOX_SHOAL.${name}`;
}

/** The options of the NATS client. @throws ERR_CONFIG_INVALID */
export function connectionOptions(target: NatsTarget): ConnectionOptions {
  if (!isToken(target.name)) {
    throw new ShoalError('ERR_CONFIG_INVALID', `not a client name: ${JSON.stringify(target.name)}`);
  }
  const texts = typeof target.servers === 'string' ? target.servers.split(',') : [...target.servers];
  const servers = texts.map((text) => parseServer(text.trim()));
  const secure = servers.some(({ tls }) => tls) || target.tls !== undefined;
  const credentials = target.credentials ?? servers.find(({ login }) => login !== undefined)?.login;
  return {
    servers: servers.map(({ server }) => server),
    name: target.name,
    inboxPrefix: inboxPrefix(target.name),
    ...(secure ? { tls: { ...target.tls } } : {}),
    ...login(credentials),
    timeout: DIAL_MS,
    pingInterval: target.pingMs ?? PING_MS,
    maxPingOut: PINGS_OUT,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
    reconnectJitterTLS: RECONNECT_MS,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
}

function parseServer(text: string): { server: string; tls: boolean; login: NatsCredentials | undefined } {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `nats://${text}`);
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', 'not a NATS URL; write it as nats://host:4222', { cause });
  }
  const tls = url.protocol === 'tls:';
  if ((!tls && url.protocol !== 'nats:') || url.hostname === '') {
    throw new ShoalError('ERR_CONFIG_INVALID', 'not a NATS URL; write it as nats://host:4222');
  }
  const user = decodeURIComponent(url.username);
  const pass = decodeURIComponent(url.password);
  const login = user === '' ? undefined : pass === '' ? { token: user } : { user, pass };
  return { server: `${url.hostname}:${url.port === '' ? '4222' : url.port}`, tls, login };
}

function login(credentials: NatsCredentials | undefined): Partial<ConnectionOptions> {
  if (credentials === undefined) return {};
  if ('token' in credentials) return { token: credentials.token };
  if ('user' in credentials) return { user: credentials.user, pass: credentials.pass };
  const { credsFile } = credentials;
  return { authenticator: (nonce) => credsAuthenticator(readFileSync(credsFile))(nonce) };
}
