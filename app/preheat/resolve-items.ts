import { ShoalError } from '../../core/errors.ts';
import { isTaskId, looksLikeDigest, parseDigest } from '../../core/ids.ts';
import { type ImageReference, parseImageReference } from '../../core/oci-reference.ts';
import { parseSourceUrl } from '../../core/source.ts';
import type { PreheatItem } from './preheat.ts';

/** What a person means by one word: an image, a URL, or what a digest or task id names. */
export type Meant =
  | { readonly kind: 'image'; readonly reference: ImageReference }
  | { readonly kind: 'item'; readonly item: PreheatItem };

/** @throws ERR_SOURCE_URL_INVALID, ERR_DIGEST_INVALID, ERR_IMAGE_REFERENCE, ERR_CONFIG_INVALID (a URL with credentials) */
export function meantBy(text: string): Meant {
  const word = text.trim();
  if (isTaskId(word)) return { kind: 'item', item: { resource: word } };
  if (looksLikeDigest(word)) return { kind: 'item', item: { resource: parseDigest(word.replace('-', ':')) } };
  if (!word.includes('://')) return { kind: 'image', reference: parseImageReference(word) };
  const { url, userInfo } = parseSourceUrl(word);
  if (userInfo === undefined) return { kind: 'item', item: { resource: url } };
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    'a URL with a user or a password: no credentials travel to hosts, each reads with its own',
  );
}

/** What is to be fetched for all that is meant, each thing once. @throws what `resolveImage` throws */
export async function resolveItems(
  meant: readonly Meant[],
  resolveImage: (reference: ImageReference) => Promise<readonly PreheatItem[]>,
): Promise<PreheatItem[]> {
  const found = new Map<string, PreheatItem>();
  for (const one of meant) {
    const items = one.kind === 'item' ? [one.item] : await resolveImage(one.reference);
    for (const item of items) {
      const key = item.digest ?? item.resource;
      if (!found.has(key)) found.set(key, item);
    }
  }
  return [...found.values()];
}
