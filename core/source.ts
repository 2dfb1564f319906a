import { createHash } from 'node:crypto';
import { ShoalError } from './errors.ts';
import type { ResourceId, TaskId } from './ids.ts';

/** Where an origin has the content: a URL without user-info, and whether it needs credentials. */
export interface Source {
  readonly url: string;
  readonly credentials: boolean;
}

/** What tells two versions at one URL apart. `etag` is a strong one or absent. */
export interface Validator {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** Query parameters that sign a URL rather than name content; they are left out of the resource id. */
export const FILTERED_QUERY = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
  'X-Goog-Algorithm',
  'X-Goog-Credential',
  'X-Goog-Date',
  'X-Goog-Expires',
  'X-Goog-SignedHeaders',
  'X-Goog-Signature',
  'X-Oss-Signature-Version',
  'X-Oss-Credential',
  'X-Oss-Date',
  'X-Oss-Expires',
  'X-Oss-Additional-Headers',
  'X-Oss-Signature',
  'X-Oss-Security-Token',
] as const;

/**
 * Older forms of signed URLs, whose parameters have plain names: a URL with the first two is signed, and all of the rest sign
 * it too. CloudFront, S3, GCS, OSS, and the shared access signatures of Azure.
 */
const SIGNED_WITH: readonly (readonly [string, string, ...string[]])[] = [
  ['signature', 'key-pair-id', 'expires', 'policy'],
  ['signature', 'awsaccesskeyid', 'expires', 'policy'],
  ['signature', 'googleaccessid', 'expires', 'policy'],
  ['signature', 'ossaccesskeyid', 'expires', 'policy', 'security-token'],
  [
    ...([
      'sig',
      'sv',
      'ss',
      'srt',
      'sr',
      'sp',
      'st',
      'se',
      'si',
      'sip',
      'spr',
      'ses',
      'sdd',
      'scid',
    ] as const),
    ...['skoid', 'sktid', 'skt', 'ske', 'sks', 'skv', 'saoid', 'suoid'],
  ],
];
const SIGNATURES = /^x-(amz|goog|oss)-(signature|security-token)$/i;

/** Whether a URL is signed, so that whoever has it is let in. */
export function isSignedUrl({ searchParams }: URL): boolean {
  return (
    [...searchParams.keys()].some((name) => SIGNATURES.test(name)) || signedWith(searchParams).length > 0
  );
}

/** Names, in lower case, of the plain parameters that sign a URL. */
function signedWith(query: URLSearchParams): string[] {
  const names = new Set([...query.keys()].map((name) => name.toLowerCase()));
  return SIGNED_WITH.flatMap(([signature, signer, ...beside]) =>
    names.has(signature) && names.has(signer) ? [signature, signer, ...beside] : [],
  );
}

/** An absolute http(s) URL without user-info and fragment. @throws ERR_SOURCE_URL_INVALID */
export function parseSourceUrl(text: string): { url: string; userInfo: string | undefined } {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new ShoalError('ERR_SOURCE_URL_INVALID', `not a URL: ${JSON.stringify(redactUrl(text))}`, {
      cause,
    });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ShoalError('ERR_SOURCE_URL_INVALID', `no origin speaks ${url.protocol.slice(0, 20)} here`);
  }
  const userInfo = userInfoOf(url);
  url.username = '';
  url.password = '';
  url.hash = '';
  return { url: url.href, userInfo };
}

/** Port of a URL, the default of its scheme where it names none. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** @throws ERR_SOURCE_URL_INVALID */
function userInfoOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    // The cause would show what must not be printed.
    throw new ShoalError('ERR_SOURCE_URL_INVALID', 'the user-info of the URL is not percent-encoded UTF-8');
  }
}

/** Text that may hold URLs with passwords, made fit to print; cut to 500 characters. */
export function redactUrl(text: string): string {
  return text.replace(/[/\\]{2}[^/\\?#\s]*@/g, '//').slice(0, 500);
}

/** The URL that names the resource: no user-info, no fragment, no filtered query, the rest as it was written. */
export function canonicalUrl(text: string, filtered: readonly string[] = FILTERED_QUERY): string {
  const url = new URL(parseSourceUrl(text).url);
  const signed = signedWith(url.searchParams);
  const drop = new Set([...filtered, ...signed].map((name) => name.toLowerCase()));
  const parts = url.search.slice(1).split('&');
  const kept = parts.filter((part) => !drop.has(nameOf(part).toLowerCase()));
  // Set again only where something is dropped, so that the rest is never re-encoded.
  if (kept.length < parts.length) url.search = kept.some((part) => part !== '') ? `?${kept.join('&')}` : '';
  return url.href;
}

/** Decoded name of a query parameter as written; the `&` keeps a leading `?` in the name. */
function nameOf(part: string): string {
  return [...new URLSearchParams(`&${part}`).keys()][0] ?? '';
}

/** @param filtered query parameters left out beside those that sign a URL. */
export function resourceIdOf(url: string, filtered: readonly string[] = []): ResourceId {
  const canonical = canonicalUrl(url, [...FILTERED_QUERY, ...filtered]);
  return createHash('sha256').update(canonical).digest('hex') as ResourceId;
}

/**
 * Task id of one version of a URL: a hash over the canonical URL, the strong ETag and the length; without a
 * strong ETag over a random read id, so that every read is a task of its own. `filtered` as in `resourceIdOf`.
 */
export function taskIdOfUrl(
  url: string,
  version: { etag: string; length: number } | { readId: string },
  filtered: readonly string[] = [],
): TaskId {
  const mark = 'etag' in version ? `etag\n${version.etag}\n${version.length}` : `read\n${version.readId}`;
  return `url-${createHash('sha256')
    .update(`${canonicalUrl(url, [...FILTERED_QUERY, ...filtered])}\n${mark}`)
    .digest('hex')}` as TaskId;
}

/** The ETag where it is a strong one. @see RFC 9110 §8.8.3 */
export function strongEtag(header: string | undefined): string | undefined {
  const trimmed = header?.trim();
  return trimmed !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(trimmed) ? trimmed : undefined;
}
