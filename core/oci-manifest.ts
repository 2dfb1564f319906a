import { z } from 'zod';
import { ShoalError } from './errors.ts';
import { type Digest, parseDigest } from './ids.ts';
import type { Platform } from './oci-platform.ts';

/** What a manifest says of content it names. */
export interface Descriptor {
  readonly digest: Digest;
  /** Bytes as the manifest says; nothing has proved it. */
  readonly size: number;
  /** To be had elsewhere than at the registry, which need not have it. */
  readonly foreign: boolean;
}

/** One manifest of an index; it is not judged, for most are for machines that nobody here has. */
export interface ListedManifest {
  /** As the index has it. @see listedDigest */
  readonly digest: string;
  readonly platform?: Platform | undefined;
}

/** An image of one platform (or an artifact, whose parts are taken for layers), or an index of such. */
export type Manifest =
  | {
      readonly kind: 'image';
      readonly mediaType: string;
      /** Absent in the artifacts that had a manifest of their own. */
      readonly config: Descriptor | undefined;
      readonly layers: readonly Descriptor[];
    }
  | { readonly kind: 'index'; readonly mediaType: string; readonly manifests: readonly ListedManifest[] };

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
const ARTIFACT_TYPE = 'application/vnd.oci.artifact.manifest.v1+json';

/** What Accept says when any manifest will do. */
export const MANIFEST_ACCEPT = [...INDEX_TYPES, ...IMAGE_TYPES, '*/*'].join(', ');

const descriptor = z.object({
  digest: z.string().max(256),
  size: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  urls: z.array(z.string().max(4096)).max(64).nullish(),
});
const word = z.string().max(64);
const nowhere = { os: 'unknown', architecture: 'unknown' };
const listed = z.object({
  digest: z.string().catch(''),
  platform: z.object({ os: word, architecture: word, variant: word.nullish() }).nullish().catch(nowhere),
});
const parts = z.array(descriptor).max(MOST_PARTS);
// Go writes null for a list of none.
const indexBody = z.object({ manifests: z.array(listed).max(MOST_PARTS).nullable() });
const imageBody = z.object({ config: descriptor, layers: parts.nullish() });
const artifactBody = z.object({ blobs: parts.nullish() });
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
  const hasManifests = body['manifests'] != null;
  const hasLayers = (body['layers'] ?? body['config']) != null;
  const { kind, mediaType } = told ?? within ?? bySight(hasManifests);
  // CVE-2021-41190: one digest must not be two things.
  if ((hasManifests && kind !== 'index') || (hasLayers && kind !== 'image')) {
    throw refused(`as ${mediaType} it has parts of another kind of manifest`);
  }
  if (kind === 'index') {
    const { manifests } = checked(indexBody, body);
    return { kind, mediaType, manifests: (manifests ?? []).map(listedOf) };
  }
  if (kind === 'artifact') {
    const { blobs } = checked(artifactBody, body);
    return { kind: 'image', mediaType, config: undefined, layers: (blobs ?? []).map(partOf) };
  }
  const { config, layers } = checked(imageBody, body);
  return { kind, mediaType, config: partOf(config), layers: (layers ?? []).map(partOf) };
}

/** The digest of one manifest of an index, which was chosen. @throws ERR_IMAGE_MANIFEST */
export function listedDigest({ digest }: ListedManifest): Digest {
  return digestOf(digest);
}

/** The blobs that a manifest names, the configuration first; an index names none. */
export function blobsOf(manifest: Manifest): readonly Descriptor[] {
  if (manifest.kind === 'index') return [];
  const { config, layers } = manifest;
  return config === undefined ? layers : [config, ...layers];
}

/** Larger documents are not looked into for what they name: they list thousands of layers, or are no manifests. */
const MOST_NAMING_BYTES = 256 * 1024;
const MOST_NAMED = 513;

/** Digests of the blobs that a manifest names; none where it is not one of an image. */
export function blobsNamedIn(document: Uint8Array): Digest[] {
  if (document.length > MOST_NAMING_BYTES) return [];
  try {
    return blobsOf(parseManifest(document))
      .slice(0, MOST_NAMED)
      .map(({ digest }) => digest);
  } catch {
    return [];
  }
}

interface Kind {
  readonly kind: Manifest['kind'] | 'artifact';
  readonly mediaType: string;
}

function kindOfType(text: string): Kind | undefined {
  const mediaType = (text.split(';')[0] ?? '').trim().toLowerCase();
  if (INDEX_TYPES.includes(mediaType)) return { kind: 'index', mediaType };
  if (IMAGE_TYPES.includes(mediaType)) return { kind: 'image', mediaType };
  if (mediaType === ARTIFACT_TYPE) return { kind: 'artifact', mediaType };
  if (/^application\/vnd\.docker\.distribution\.manifest\.v1\b/.test(mediaType)) {
    throw refused('the first schema of Docker is not understood');
  }
  return undefined;
}

function bySight(isIndex: boolean): Kind {
  const [mediaType = ''] = isIndex ? INDEX_TYPES : IMAGE_TYPES;
  return { kind: isIndex ? 'index' : 'image', mediaType };
}

function partOf({ digest, size, urls }: z.infer<typeof descriptor>): Descriptor {
  return { digest: digestOf(digest), size, foreign: (urls?.length ?? 0) > 0 };
}

function listedOf({ digest, platform }: z.infer<typeof listed>): ListedManifest {
  if (platform == null) return { digest };
  const { os, architecture, variant } = platform;
  return { digest, platform: { os, architecture, ...(variant != null && { variant }) } };
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
