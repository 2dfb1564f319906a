import { isSignedUrl } from '../core/source.ts';

/** What a caller may not say: it is said here, or speaks of the connection. */
const OURS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers that a read says itself. */
export type OwnHeaders = {
  range?: string;
  'if-none-match'?: string;
  'if-modified-since'?: string;
};

/** Headers that say nothing of who asks. */
const IMPERSONAL = new Set(['accept', 'accept-language', 'user-agent']);

/** Whether a header is not the caller's to set: Shoal says it itself, or it speaks of the connection. */
export function isReserved(name: string): boolean {
  return OURS.has(name.toLowerCase());
}

/** The caller's headers, lower-cased, without those that are not theirs to set. */
export function callerHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (!OURS.has(lower)) kept[lower] = value;
  }
  return kept;
}

/** The headers that go along to another host: none that could be a credential. */
export function impersonalHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => IMPERSONAL.has(name)));
}

/** Whether an answer to this request may be meant for the one who asks alone: by a header, or by a signed URL. */
export function asksWithCredentials(url: URL, headers: Readonly<Record<string, string>>): boolean {
  if (Object.keys(callerHeaders(headers)).some((name) => !IMPERSONAL.has(name))) return true;
  return isSignedUrl(url);
}
