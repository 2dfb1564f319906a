import { ShoalError } from './errors.ts';
import { isTaskId, looksLikeDigest, parseDigest } from './ids.ts';
import { type ImageReference, parseImageReference } from './oci-reference.ts';
import { parseSourceUrl } from './source.ts';

/** What a person means by one word: an image, all tags of a repository that fit, or what a URL, digest or task id names. */
export type JobWord =
  | { readonly kind: 'image'; readonly reference: ImageReference }
  | { readonly kind: 'tags'; readonly reference: ImageReference; readonly pattern: string }
  | { readonly kind: 'resource'; readonly resource: string };

const PATTERN = /^[\w.*?-]{1,128}$/;

/** @throws ERR_SOURCE_URL_INVALID, ERR_DIGEST_INVALID, ERR_IMAGE_REFERENCE, ERR_CONFIG_INVALID (a URL with credentials) */
export function parseJobWord(text: string): JobWord {
  const word = text.trim();
  if (isTaskId(word)) return { kind: 'resource', resource: word };
  if (looksLikeDigest(word)) return { kind: 'resource', resource: parseDigest(word.replace('-', ':')) };
  if (!word.includes('://')) return imageWord(word);
  const { url, userInfo } = parseSourceUrl(word);
  if (userInfo === undefined) return { kind: 'resource', resource: url };
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    'a URL with a user or a password: no credentials travel to hosts, each reads with its own',
  );
}

/** Whether `parseJobWord` takes the text. */
export function isJobWord(text: string): boolean {
  try {
    parseJobWord(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a tag fits a pattern: `*` stands for any characters, `?` for one. */
export function fitsPattern(tag: string, pattern: string): boolean {
  const source = pattern.replace(/[.-]/g, '\\$&').replace(/\*+/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${source}$`).test(tag);
}

function imageWord(word: string): JobWord {
  const colon = word.lastIndexOf(':');
  const pattern = word.slice(colon + 1);
  if (colon < 0 || !/[*?]/.test(pattern) || !PATTERN.test(pattern)) {
    return { kind: 'image', reference: parseImageReference(word) };
  }
  return { kind: 'tags', reference: parseImageReference(word.slice(0, colon)), pattern };
}
