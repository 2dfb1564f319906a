import { lookup as dnsLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, Pool } from 'undici';
import { portOf } from '../core/source.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { OriginLimits } from './limits.ts';
import { addressRefused } from './origin-error.ts';

/** Finds every address of a name, as `dns.lookup` does. */
export type ResolveName = (
  name: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

/**
 * Connections that are made only to addresses the policy lets through: the address checked is the one connected to,
 * so a name that resolves otherwise the next time gains nothing.
 */
export function createOriginAgent(
  policy: AddressPolicy,
  limits: OriginLimits,
  ca?: string,
  resolve?: ResolveName,
): Agent {
  return new Agent({
    headersTimeout: limits.stallMs,
    bodyTimeout: limits.stallMs,
    factory: (origin: string | URL, options: object): Dispatcher =>
      new Pool(origin, { ...options, connect: connectorFor(new URL(origin), policy, limits, ca, resolve) }),
  });
}

function connectorFor(
  origin: URL,
  policy: AddressPolicy,
  limits: OriginLimits,
  ca: string | undefined,
  resolve: ResolveName | undefined,
): buildConnector.connector {
  const host = origin.hostname;
  const port = portOf(origin);
  const connector = buildConnector({
    timeout: limits.connectMs,
    lookup: lookupFor(host, port, policy, resolve),
    ...(ca === undefined ? {} : { ca }),
  });
  return (options, callback) => {
    // A literal address is never looked up.
    if (policy.allowsHost(host, port)) connector(options, callback);
    else callback(addressRefused(host, port), null);
  };
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
