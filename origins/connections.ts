import { lookup as dnsLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { urlToHttpOptions } from 'node:url';
import { ShoalError } from '../core/errors.ts';
import { portOf } from '../core/source.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { OriginLimits } from './limits.ts';
import { addressRefused } from './origin-error.ts';
import { OriginWays } from './way/origin-ways.ts';
import { noProxy, type ProxyChoice, type ProxyServer, proxyAuthorization } from './way/proxy-choice.ts';

/** Finds every address of a name, as `dns.lookup` does. */
export type ResolveName = (
  name: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

/** Connections to origins, kept for the next request. */
export interface OriginConnections {
  /** Without a byte for this long, a connection counts as cut, ms. */
  readonly stallMs: number;
  /**
   * Begins a request; its `error` event has what becomes of it.
   * @throws ERR_SOURCE_ADDRESS_REFUSED, ERR_SOURCE_UNAVAILABLE once closed, Node's error for headers that are none
   */
  request(url: URL, method: string, headers: Readonly<Record<string, string>>): ClientRequest;
  /** Cuts all connections. */
  close(): void;
}

interface ConnectionsOptions {
  readonly policy: AddressPolicy;
  readonly limits: OriginLimits;
  /** Certificates to trust in place of the system's, PEM. */
  readonly ca: string | undefined;
  /** Absent: the system's. */
  readonly resolve: ResolveName | undefined;
  /** Absent: none. */
  readonly proxy: ProxyChoice | undefined;
}

/** Servers close what was quiet for 5 s and more. */
const KEPT_MS = 4_000;

/**
 * Connections that are made only to addresses the policy lets through: the address checked is the one connected to,
 * so a name that resolves otherwise the next time gains nothing.
 */
export function createOriginConnections(options: ConnectionsOptions): OriginConnections {
  const { policy, limits, ca, resolve, proxy = noProxy } = options;
  const ways = new OriginWays({
    policy,
    proxy,
    lookup: (host, port) => lookupFor(host, port, policy, resolve),
    connectMs: limits.connectMs,
    kept: { keepAlive: true, timeout: KEPT_MS },
    ca,
  });
  let isClosed = false;
  return {
    stallMs: limits.stallMs,
    request(url, method, headers) {
      const [host, port] = [url.hostname, portOf(url)];
      // A literal address is never looked up.
      if (!policy.allowsHost(host, port)) throw addressRefused(host, port);
      if (isClosed) throw new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the reader of origins is closed');
      const secure = url.protocol === 'https:';
      const { options: way, told } = ways.to(url);
      const given = {
        ...urlToHttpOptions(url),
        method,
        headers,
        ...way,
        ...(told && toProxy(url, headers, told)),
      };
      const request = secure ? requestHttps(given) : requestHttp(given);
      connectWithin(limits.connectMs, request, secure, () =>
        timedOut(`no connection within ${limits.connectMs} ms`),
      );
      return request;
    },
    close() {
      isClosed = true;
      ways.close();
    },
  };
}

/** What a request that a proxy is sent has in place of its own. */
function toProxy(url: URL, headers: Readonly<Record<string, string>>, server: ProxyServer) {
  return { path: url.href, headers: { ...headers, host: url.host, ...proxyAuthorization(server) } };
}

/** The error of a connection that took too long. */
export function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}

/** Destroys a request whose connection, TLS included, is not made in time. */
export function connectWithin(
  connectMs: number,
  request: ClientRequest,
  secure: boolean,
  late: () => Error,
): void {
  request.once('socket', (socket) => {
    // It may be one that was kept.
    if (!socket.connecting) return;
    const timer = setTimeout(() => request.destroy(late()), connectMs);
    socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
  });
}

/** Looks names up and keeps of their addresses those that the policy lets through for `host` and `port`. */
export function lookupFor(
  host: string,
  port: number,
  policy: AddressPolicy,
  resolve: ResolveName = dnsLookup,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '', 0);
      const open = found.filter(({ address }) => policy.allowsAddress(host, port, address));
      const [first] = open;
      if (first === undefined) return callback(addressRefused(host, port, found[0]?.address), '', 0);
      if (options.all === true) return callback(null, open);
      return callback(null, first.address, first.family);
    });
  };
}
