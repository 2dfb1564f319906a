import { segmentOfRegistry } from '../../core/registry-names.ts';
import { headerOf, type ProxyRequest } from '../request.ts';
import type { MirrorRoute } from './route.ts';

/** Where this mirror gives tokens: no name of a registry's content, and below what whoever stands before it lets through. */
export const TOKEN_PATH = '/v2/token';

const HOST = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

/**
 * The challenge of this mirror. Its realm is the mirror's own, so that nobody but this host is shown a login; a registry's
 * would have its client show another server what it keeps for this one.
 * @see distribution, Token Authentication Specification
 */
export function ownChallenge(asked: ProxyRequest, route: MirrorRoute, fault?: string): string {
  const scope = scopeOf(route);
  const params = [
    `realm="${selfOf(asked)}${TOKEN_PATH}"`,
    'service="shoal"',
    ...(scope === undefined ? [] : [`scope="${scope}"`]),
    ...(fault === undefined ? [] : [`error="${fault}"`]),
  ];
  return `Bearer ${params.join(',')}`;
}

/**
 * Whether the client is to be challenged by the mirror: not one that names the registry beside the path and dances with it
 * itself, and none whose login others could read on its way here.
 */
export function isChallengedHere(asked: ProxyRequest, { namedBy }: MirrorRoute): boolean {
  return namedBy !== 'ns' && namedBy !== 'header' && comesInPrivate(asked);
}

/** Whether nobody on the way can read what the client sends: it is on this machine, or speaks TLS to who stands before it. */
export function comesInPrivate(asked: ProxyRequest): boolean {
  const { remoteAddress = '', localAddress } = asked.request.socket;
  const isHere = /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress) || remoteAddress === localAddress;
  return isHere || schemeOf(asked) === 'https';
}

/** Only who ends TLS before this port says that there is any; a login must not go around it in the open. */
function schemeOf(asked: ProxyRequest): 'http' | 'https' {
  return /^https\b/i.test(headerOf(asked, 'x-forwarded-proto') ?? '') ? 'https' : 'http';
}

function scopeOf({ resource, registry, namedBy }: MirrorRoute): string | undefined {
  if (resource.kind === 'base') return undefined;
  const place = registry === undefined || namedBy === 'default' ? '' : `${segmentOfRegistry(registry)}/`;
  return `repository:${place}${resource.name}:pull`;
}

/** Base URL of this mirror as the client has it. */
function selfOf(asked: ProxyRequest): string {
  const { host } = asked.request.headers;
  const scheme = schemeOf(asked);
  if (host !== undefined && HOST.test(host)) return `${scheme}://${host}`;
  const { localAddress = '127.0.0.1', localPort } = asked.request.socket;
  return `${scheme}://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}
