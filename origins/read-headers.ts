import type { IncomingHttpHeaders } from 'node:http';
import { type ContentRange, parseContentRange } from '../core/ranges.ts';
import type { Answer } from './follow.ts';
import { protocolError } from './origin-error.ts';

/** Content-Length in bytes where the header is there and decides. @throws ERR_SOURCE_PROTOCOL */
export function contentLength(answer: Answer): number | undefined {
  const text = answer.headers['content-length'];
  if (text === undefined || answer.headers['transfer-encoding'] !== undefined) return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw protocolError(answer.url, 'sends a length that is no number', answer.status);
  return Number(text);
}

/** The Content-Range of a 206 that starts where it was asked to and agrees with itself. @throws ERR_SOURCE_PROTOCOL */
export function contentRange(answer: Answer, start: number, end: number | undefined): ContentRange {
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

/** Only bytes as they are can be cut in ranges and hashed. @throws ERR_SOURCE_PROTOCOL */
export function refuseEncoded(answer: Answer): void {
  const encoding = answer.headers['content-encoding'];
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity' || encoding.trim() === '')
    return;
  throw protocolError(
    answer.url,
    `sends content-encoding ${encoding.slice(0, 40)} though asked not to`,
    answer.status,
  );
}

/** Last-Modified as it was sent, where it can be one. */
export function lastModified(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['last-modified']?.trim();
  return text === undefined || text === '' || text.length > 64 ? undefined : text;
}
