import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls';
import type { ConnectionOptions } from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { isToken } from './address.ts';
import { inboxPrefix, type Sender, type SenderKind } from './inbox.ts';
import { authenticatorOf, type NatsCredentials } from './nats-credentials.ts';
import { parseServer } from './nats-url.ts';

/** Files of TLS toward NATS, PEM: who may have signed the server's certificate, and the client's own. */
export interface NatsTls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Where NATS is, and as whom to join it. */
export interface NatsTarget {
  /** `nats://host:port`, `tls://…`, or a list of them; user-info in a URL stands for credentials. */
  readonly servers: string | readonly string[];
  /** Name of this client in subjects and in its inbox. One subject token. */
  readonly name: string;
  /** `client` where absent. */
  readonly kind?: SenderKind;
  readonly credentials?: NatsCredentials | undefined;
  /** Time between pings, ms; a link that hangs is noticed within three of them. */
  readonly pingMs?: number;
  readonly tls?: NatsTls | undefined;
}

const DIAL_MS = 3_000;
const PING_MS = 4_000;
/** Pings unanswered before the link counts as dead. */
const PINGS_OUT = 2;
const RECONNECT_MS = 250;

/** Who a target's client is. */
export function senderAt({ kind = 'client', name }: NatsTarget): Sender {
  return { kind, name };
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
    inboxPrefix: inboxPrefix(senderAt(target)),
    ...(secure
      ? {
          tls: tlsOptions(
            target.tls,
            servers.map(({ host }) => host),
          ),
        }
      : {}),
    ...(credentials === undefined ? {} : { authenticator: authenticatorOf(credentials) }),
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

type TlsOptions = NonNullable<ConnectionOptions['tls']>;

function tlsOptions({ caFile, certFile, keyFile }: NatsTls = {}, hosts: readonly string[]): TlsOptions {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new ShoalError('ERR_CONFIG_INVALID', 'a client certificate for NATS and its key belong together');
  }
  checkTls({ caFile, certFile, keyFile });
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  const options = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
      // The client gives Node no name where the URL has an address, and Node then takes it for localhost.
      const names = host === 'localhost' && addresses.length > 0 ? [...addresses] : [host];
      if (hosts.includes(host)) names.push(host);
      const errors = names.map((name) => checkServerIdentity(name, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
  return options;
}

function checkTls({ caFile, certFile, keyFile }: NatsTls): void {
  const given = [caFile, certFile, keyFile].filter((file) => file !== undefined);
  try {
    const pem = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
    createSecureContext({ ca: pem(caFile), cert: pem(certFile), key: pem(keyFile) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_CONFIG_INVALID', `no use for TLS to NATS: ${given.join(', ')}: ${why}`, {
      cause,
    });
  }
}
