import { BOUNDS } from './bounds.ts';

/** The head of a parent's response. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name; none comes twice. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body that follows. */
  readonly contentLength: number;
  /** Whether the parent closes the connection after the body. */
  readonly close: boolean;
}

/** A head and where its body begins, 'incomplete' where more bytes are needed, or 'malformed'. */
export type ParsedHead =
  | { readonly head: ResponseHead; readonly headBytes: number }
  | 'incomplete'
  | 'malformed';

const STATUS_LINE = /^HTTP\/1\.1 ([2-5]\d\d) [\x20-\x7e]{0,100}$/;
const HEADER_LINE = /^([A-Za-z0-9-]{1,40}): ?([\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?)$/;
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;

/**
 * Reads what our own server writes, and nothing more liberal: one Content-Length, no Transfer-Encoding, no folded
 * or repeated headers.
 */
export function parseResponseHead(bytes: Buffer): ParsedHead {
  const limited = bytes.subarray(0, BOUNDS.responseHeadBytes);
  const end = limited.indexOf('\r\n\r\n');
  if (end < 0) return bytes.length >= BOUNDS.responseHeadBytes ? 'malformed' : 'incomplete';
  const [statusLine = '', ...lines] = limited.toString('latin1', 0, end).split('\r\n');
  const status = STATUS_LINE.exec(statusLine)?.[1];
  if (status === undefined) return 'malformed';
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = HEADER_LINE.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === '' || headers.has(key)) return 'malformed';
    headers.set(key, value);
  }
  const length = headers.get('content-length');
  if (length === undefined || !LENGTH.test(length) || headers.has('transfer-encoding')) return 'malformed';
  return {
    head: {
      status: Number(status),
      headers,
      contentLength: Number(length),
      close: headers.get('connection')?.toLowerCase() === 'close',
    },
    headBytes: end + 4,
  };
}
