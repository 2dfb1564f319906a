import type { IncomingHttpHeaders } from 'node:http';
import { type ContentRange, parseContentRange } from '../core/ranges.ts';
import type { FollowedAnswer } from './follow.ts';
import { protocolError } from './origin-error.ts';

/** Content-Length in bytes where the header is there and decides. @throws ERR_SOURCE_PROTOCOL */
export function contentLength(answer: FollowedAnswer): number | undefined {
  const text = answer.headers['content-length'];
  if (text === undefined || answer.headers['transfer-encoding'] !== undefined) return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw protocolError(answer.url, 'sends a length that is no number', answer.status);
  return Number(text);
}

/** The Content-Range of a 206 that starts where it was asked to and agrees with itself. @throws ERR_SOURCE_PROTOCOL */
export function contentRange(answer: FollowedAnswer, start: number, end: number | undefined): ContentRange {
  const range = parseContentRange(answer.headers['content-range']);
  if (range === undefined || range.start !== start || (end !== undefined && range.end > end)) {
    throw protocolError(answer.url, 'answers a range with another one', answer.status);
  }
  const length = contentLength(answer);
  if (length !== undefined && length !== range.end - range.start) {
    throw protocolError(answer.url, 'sends a range and a length that contradict each other', answer.status);
  }
  return range;
}

/**
 * How the bytes are encoded although they were asked for as they are: so an object store sends what was put with an
 * encoding. @throws ERR_SOURCE_PROTOCOL
 */
export function contentEncoding({ url, headers, status }: FollowedAnswer): string | undefined {
  const encoding = headers['content-encoding']?.trim() ?? '';
  if (encoding === '' || encoding.toLowerCase() === 'identity') return undefined;
  if (encoding.length > 64) throw protocolError(url, 'sends a content-encoding that is none', status);
  return encoding;
}

/** Of what is to be understood here, not kept. @throws ERR_SOURCE_PROTOCOL */
export function refuseEncoded(answer: FollowedAnswer): void {
  const encoding = contentEncoding(answer);
  if (encoding === undefined) return;
  const what = `sends content-encoding ${encoding} though asked not to`;
  throw protocolError(answer.url, what, answer.status);
}

/** Last-Modified as it was sent, where it can be one. */
export function lastModified(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['last-modified']?.trim();
  return text === undefined || text === '' || text.length > 64 ? undefined : text;
}
