import { type Digest, isDigest } from '../../core/ids.ts';

/** Larger documents are not looked into: they list thousands of layers, or are no manifests. */
const MOST_BYTES = 256 * 1024;
const MOST_BLOBS = 512;

/** Digests of the config and the layers that a manifest names; none where it is not one. */
export function namedBlobs(document: Uint8Array): Digest[] {
  if (document.length > MOST_BYTES) return [];
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(document).toString('utf8'));
  } catch {
    return [];
  }
  const { config, layers } = (value ?? {}) as { config?: unknown; layers?: unknown };
  const descriptors = [config, ...(Array.isArray(layers) ? layers.slice(0, MOST_BLOBS) : [])];
  const digests = descriptors.map((one) => (one as { digest?: unknown } | null | undefined)?.digest);
  return digests.filter((digest) => typeof digest === 'string').filter(isDigest);
}
