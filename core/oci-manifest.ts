import { z } from 'zod';
import { ShoalError } from './errors.ts';
import { type Digest, parseDigest } from './ids.ts';
import type { Platform } from './oci-platform.ts';

/** What a manifest says of content it names. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes as the manifest says; nothing has proved it. */
  readonly size: number;
  /** To be had elsewhere than at the registry, which need not have it. */
  readonly foreign: boolean;
}

/** One manifest of an index. */
export interface ManifestDescriptor extends Descriptor {
  readonly platform?: Platform | undefined;
}

/** An image of one platform, or an index of such. */
export type Manifest =
  | {
      readonly kind: 'image';
      readonly mediaType: string;
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    }
  | { readonly kind: 'index'; readonly mediaType: string; readonly manifests: readonly ManifestDescriptor[] };

/** What registries must take at least; a longer one is refused. @see OCI distribution spec, Pushing Manifests */
export const MANIFEST_BYTES = 4 * 1024 * 1024;
const MOST_PARTS = 4096;

const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const IMAGE_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** What Accept says when any manifest will do. */
export const MANIFEST_ACCEPT = [...INDEX_TYPES, ...IMAGE_TYPES, '*/*'].join(', ');

const descriptor = z.object({
  mediaType: z.string().min(1).max(256),
  digest: z.string().max(256),
  size: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  urls: z.array(z.string().max(4096)).max(64).nullish(),
});
const word = z.string().max(64);
const listed = descriptor.extend({
  platform: z.object({ os: word, architecture: word, variant: word.nullish() }).nullish(),
});
const indexBody = z.object({ manifests: z.array(listed).max(MOST_PARTS) });
const imageBody = z.object({ config: descriptor, layers: z.array(descriptor).max(MOST_PARTS) });
const anyBody = z.record(z.string(), z.unknown());

/**
 * Reads a manifest or index of OCI or Docker.
 * @param contentType Of the answer; the `mediaType` within counts only where it tells nothing.
 * @throws ERR_IMAGE_MANIFEST
 */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest {
  if (bytes.length > MANIFEST_BYTES) throw refused(`${bytes.length} bytes are too many`);
  const body = checked(anyBody, parseJson(bytes));
  const within = typeof body['mediaType'] === 'string' ? kindOfType(body['mediaType']) : undefined;
  const told = contentType === undefined ? undefined : kindOfType(contentType);
  if (told !== undefined && within !== undefined && told.mediaType !== within.mediaType) {
    throw refused(`it came as ${told.mediaType} and says it is ${within.mediaType}`);
  }
  if (body['manifests'] != null && (body['layers'] ?? body['config']) != null) {
    // CVE-2021-41190: one digest must not be two things.
    throw refused('it is an index and an image at once');
  }
  const isIndex = body['manifests'] != null;
  const { kind, mediaType } = told ?? within ?? bySight(isIndex);
  if (kind === 'index') {
    const { manifests } = checked(indexBody, body);
    return { kind, mediaType, manifests: manifests.map(manifestOf) };
  }
  const { config, layers } = checked(imageBody, body);
  return { kind, mediaType, config: partOf(config), layers: layers.map(partOf) };
}

/** Larger documents are not looked into for what they name: they list thousands of layers, or are no manifests. */
const MOST_NAMING_BYTES = 256 * 1024;
const MOST_NAMED = 512;

/** Digests of the config and the layers that a manifest names; none where it is not one of an image. */
export function blobsNamedIn(document: Uint8Array): Digest[] {
  if (document.length > MOST_NAMING_BYTES) return [];
  let manifest: Manifest;
  try {
    manifest = parseManifest(document);
  } catch {
    return [];
  }
  if (manifest.kind === 'index') return [];
  return [manifest.config, ...manifest.layers.slice(0, MOST_NAMED)].map(({ digest }) => digest);
}

interface Kind {
  readonly kind: Manifest['kind'];
  readonly mediaType: string;
}

function kindOfType(text: string): Kind | undefined {
  const mediaType = (text.split(';')[0] ?? '').trim().toLowerCase();
  if (INDEX_TYPES.includes(mediaType)) return { kind: 'index', mediaType };
  if (IMAGE_TYPES.includes(mediaType)) return { kind: 'image', mediaType };
  if (/^application\/vnd\.docker\.distribution\.manifest\.v1\b/.test(mediaType)) {
    throw refused('the first schema of Docker is not understood');
  }
  return undefined;
}

function bySight(isIndex: boolean): Kind {
  const [mediaType = ''] = isIndex ? INDEX_TYPES : IMAGE_TYPES;
  return { kind: isIndex ? 'index' : 'image', mediaType };
}

function partOf({ mediaType, digest, size, urls }: z.infer<typeof descriptor>): Descriptor {
  return { mediaType, digest: digestOf(digest), size, foreign: (urls?.length ?? 0) > 0 };
}

function manifestOf(part: z.infer<typeof listed>): ManifestDescriptor {
  if (part.platform == null) return partOf(part);
  const { os, architecture, variant } = part.platform;
  return { ...partOf(part), platform: { os, architecture, ...(variant != null && { variant }) } };
}

function digestOf(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (cause) {
    throw refused('it names content by no digest that is understood', cause);
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refused('it is not JSON', cause);
  }
}

function checked<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0] ?? { path: [], message: '' };
  throw refused(`${path.join('.')}: ${message}`.slice(0, 200), result.error);
}

function refused(why: string, cause?: unknown): ShoalError {
  return new ShoalError('ERR_IMAGE_MANIFEST', `not a manifest of an image: ${why}`, { cause });
}
