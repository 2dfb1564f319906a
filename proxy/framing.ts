import type { IncomingMessage } from 'node:http';

/** Headers that two readers of one request may take differently when they come twice. */
const ONCE = ['host', 'content-length', 'transfer-encoding', 'authorization', 'x-shoal-registry', 'range'];

/**
 * Why a request cannot be read in one way only; undefined where it can. What the HTTP parser itself refuses (two
 * lengths, a length beside chunks, a bad chunk) never comes here.
 */
export function framingFault({ rawHeaders, headers, httpVersion }: IncomingMessage): string | undefined {
  const counts = new Map<string, number>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const twice = ONCE.find((name) => (counts.get(name) ?? 0) > 1);
  if (twice !== undefined) return `${twice} is given twice`;
  if (counts.has('content-length') && counts.has('transfer-encoding')) {
    return 'content-length beside transfer-encoding';
  }
  const coding = headers['transfer-encoding'];
  // RFC 9112 §6.1: whoever is before us may not have seen chunks in it.
  if (coding !== undefined && httpVersion === '1.0') return 'a transfer-encoding in HTTP/1.0';
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return 'a transfer-encoding that is not chunked';
  return undefined;
}

/** Whether a body follows the headers. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
}
