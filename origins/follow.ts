import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { parseSourceUrl, portOf } from '../core/source.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { OriginConnections } from './connections.ts';
import { type Exchange, openExchange } from './exchange.ts';
import { addressRefused, connectionError, protocolError } from './origin-error.ts';
import { callerHeaders, impersonalHeaders, type OwnHeaders } from './request-headers.ts';

/** What following needs of the origin that does it. */
export interface Follower {
  readonly connections: OriginConnections;
  readonly policy: AddressPolicy;
  readonly redirects: number;
  readonly logger: Logger;
}

/** An answer that is no redirect, and the URL that gave it. */
export interface FollowedAnswer extends Exchange {
  readonly url: URL;
}

/**
 * GET or HEAD along redirects. The caller's headers go to the host, port and scheme they were given for, and are gone for
 * good after the first redirect elsewhere; user-info in a redirect is dropped.
 * @throws ERR_SOURCE_* (a refusal by status is an answer), or the signal's reason
 */
export async function follow(
  follower: Follower,
  request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly method?: 'GET' | 'HEAD';
  },
  own: OwnHeaders,
  signal: AbortSignal,
): Promise<FollowedAnswer> {
  let url = new URL(parseSourceUrl(request.url).url);
  let theirs = callerHeaders(request.headers);
  for (let hops = 0; ; hops += 1) {
    const port = portOf(url);
    if (!follower.policy.allowsHost(url.hostname, port)) throw addressRefused(url.hostname, port);
    const headers = { ...theirs, ...own, 'accept-encoding': 'identity' };
    const sent = openExchange(follower.connections, url, headers, signal, {
      method: request.method ?? 'GET',
    });
    const exchange = await sent.catch((error: unknown) => {
      throw signal.aborted ? signal.reason : connectionError(error, url);
    });
    const { status } = exchange;
    follower.logger.debug(
      { origin: url.origin, path: url.pathname, status, range: own.range },
      'origin answered',
    );
    if (status === 407) {
      exchange.discard();
      throw new ShoalError(
        'ERR_SOURCE_UNAVAILABLE',
        `the proxy on the way to ${url.host} wants credentials (407)`,
      );
    }
    if (![301, 302, 303, 307, 308].includes(status)) return { ...exchange, url };
    exchange.discard();
    if (hops >= follower.redirects)
      throw protocolError(url, `redirects more than ${follower.redirects} times`, status);
    const next = target(url, exchange.headers.location, status);
    if (next.origin !== url.origin) theirs = impersonalHeaders(theirs);
    url = next;
  }
}

function target(from: URL, location: string | undefined, status: number): URL {
  let next: URL;
  try {
    next = new URL(parseSourceUrl(new URL(location ?? '', from).href).url);
  } catch (cause) {
    throw new ShoalError('ERR_SOURCE_PROTOCOL', `${from.host} redirects to what is no URL to read`, {
      cause,
      details: { status },
    });
  }
  if (location === undefined || location === '') throw protocolError(from, 'redirects to nowhere', status);
  if (from.protocol === 'https:' && next.protocol !== 'https:') {
    throw protocolError(from, `redirects from https to plain http at ${next.host}, which is refused`, status);
  }
  return next;
}
