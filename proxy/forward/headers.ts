import type { IncomingMessage } from 'node:http';
import { withHop } from '../../core/via.ts';

/** Headers of one connection, which end at each hop. @see RFC 9110 §7.6.1 */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers by name and value in turn, as `rawHeaders` has them. */
export type RawHeaders = readonly string[];

function pairsOf(raw: RawHeaders): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return pairs;
}

/** The headers that go on to the next hop: none of this connection's own, none of `drop` (small letters). */
export function endToEnd(raw: RawHeaders, drop: readonly string[] = []): string[] {
  const pairs = pairsOf(raw);
  const named = pairs
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(','))
    .map((name) => name.trim().toLowerCase());
  const dropped = new Set([...named, ...drop]);
  return pairs
    .filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !dropped.has(name.toLowerCase()))
    .flat();
}

/** The headers with this hop added to their Via. */
export function withVia(raw: RawHeaders, name: string): string[] {
  const pairs = pairsOf(raw);
  const hops = pairs.filter(([key]) => key.toLowerCase() === 'via').map(([, value]) => value);
  const rest = pairs.filter(([key]) => key.toLowerCase() !== 'via').flat();
  return [...rest, 'Via', withHop(hops.join(', '), name)];
}

/** Headers that say nothing of who asks and nothing of what is asked for. */
const HARMLESS = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-length',
  'dnt',
  'expect',
  'forwarded',
  'from',
  'host',
  'max-forwards',
  'origin',
  'pragma',
  'priority',
  'range',
  'referer',
  'traceparent',
  'tracestate',
  'upgrade-insecure-requests',
  'user-agent',
  // Names of one request, which differ each time.
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'x-correlation-id',
  'x-request-id',
  'via',
  'want-content-digest',
  'want-digest',
  'want-repr-digest',
]);

/**
 * The headers that may be credentials: `Authorization`, `Cookie` and every one that is not known to be none, so that
 * content asked with them belongs to its source.
 */
export function credentialHeaders(request: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of pairsOf(endToEnd(request.rawHeaders))) {
    const lower = name.toLowerCase();
    if (HARMLESS.has(lower) || /^(sec-|x-forwarded-|x-shoal-|npm-|pacote-)/.test(lower)) continue;
    const former = kept[lower];
    kept[lower] = former === undefined ? value : `${former}${lower === 'cookie' ? '; ' : ', '}${value}`;
  }
  return kept;
}
