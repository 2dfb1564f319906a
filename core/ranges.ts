/** Bytes [start, end), offsets from 0. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks for: bytes, the whole (none or not understood), or nothing that exists. */
export type RangeRequest = ByteRange | 'whole' | 'unsatisfiable';

const ONE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * Reads a Range header against content of `length` bytes. One range only: a list, another unit or a header
 * that is not well formed is answered with the whole.
 * @see RFC 9110 §14.1.2, §14.2
 */
export function parseRange(header: string | undefined, length: number): RangeRequest {
  if (header === undefined) return 'whole';
  const match = ONE_RANGE.exec(header.trim());
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return 'whole';
  if (first === '') {
    const suffix = Number(last);
    return suffix === 0 || length === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, length - suffix), end: length };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'whole';
  if (start >= length) return 'unsatisfiable';
  return { start, end: last === '' ? length : Math.min(length, Number(last) + 1) };
}

export function formatRange({ start, end }: ByteRange): string {
  return `bytes=${start}-${end - 1}`;
}

/** A Content-Range header: the bytes sent and the whole length, where it is known. */
export interface ContentRange extends ByteRange {
  readonly total: number | undefined;
}

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/;

/** Undefined where the header is missing or contradicts itself. @see RFC 9110 §14.4 */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = CONTENT_RANGE.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]) + 1;
  const total = match[3] === '*' ? undefined : Number(match[3]);
  if (end <= start || (total !== undefined && end > total)) return undefined;
  return { start, end, total };
}

export function formatContentRange({ start, end, total }: ContentRange): string {
  return `bytes ${start}-${end - 1}/${total ?? '*'}`;
}
