import { createHash } from 'node:crypto';
import { ShoalError } from '../../core/errors.ts';
import { type Digest, digestAlgorithm, parseDigest } from '../../core/ids.ts';
import {
  blobsOf,
  type Descriptor,
  type ListedManifest,
  listedDigest,
  MANIFEST_ACCEPT,
  type Manifest,
  parseManifest,
} from '../../core/oci-manifest.ts';
import { choosePlatform, formatPlatform, type Platform } from '../../core/oci-platform.ts';
import { formatImageReference, type ImageReference } from '../../core/oci-reference.ts';
import type { RegistryAnswer, RegistryClient } from '../../origins/registry/registry.ts';
import type { PreheatItem } from './preheat.ts';

/** How the parts of an image are found. */
export interface ImageResolver {
  readonly registry: Pick<RegistryClient, 'ask'>;
  /** Base URL of a registry by its name. */
  readonly baseOf: (name: string) => string;
  readonly platform: Platform | 'all';
}

/** An index of indexes is followed, one of those is not. */
const DEPTH = 2;
/** Manifests of one image at most. */
const MOST_MANIFESTS = 256;

interface Found {
  readonly item: PreheatItem;
  readonly manifest: Manifest;
}

/**
 * All that an image is made of, as URLs at its registry with their digests: manifests first, then configuration and
 * layers in the order clients ask for them.
 * @throws ERR_IMAGE_MANIFEST, ERR_IMAGE_PLATFORM, ERR_DIGEST_MISMATCH, ERR_SOURCE_*
 */
export async function resolveImage(
  resolver: ImageResolver,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<PreheatItem[]> {
  const base = resolver.baseOf(reference.registry);
  const place = `${base}/v2/${reference.repository}`;
  const name = formatImageReference(reference);

  async function manifestOf(version: string, digest: Digest | undefined): Promise<Found> {
    const path = `/v2/${reference.repository}/manifests/${version}`;
    const headers = { accept: MANIFEST_ACCEPT };
    const answer = await resolver.registry.ask({ base, method: 'GET', path, headers }, signal);
    refuseStatus(answer, name);
    const proven = provenDigest(answer, digest, name);
    const manifest = parseManifest(answer.body, answer.headers['content-type']);
    const item = { resource: `${place}/manifests/${proven}`, digest: proven, size: answer.body.length };
    return { item, manifest };
  }

  async function* below({ manifest }: Found, depth: number): AsyncGenerator<Found> {
    if (manifest.kind === 'image') return;
    if (depth === DEPTH) throw new ShoalError('ERR_IMAGE_MANIFEST', `${name}: indexes within indexes`);
    for (const listed of wanted(manifest.manifests, resolver.platform, name)) {
      const digest = listedDigest(listed);
      const found = await manifestOf(digest, digest);
      yield found;
      yield* below(found, depth + 1);
    }
  }

  const first = await manifestOf(reference.digest ?? reference.tag ?? 'latest', reference.digest);
  const manifests = [first];
  for await (const found of below(first, 0)) {
    manifests.push(found);
    if (manifests.length > MOST_MANIFESTS)
      throw new ShoalError('ERR_IMAGE_MANIFEST', `${name} has more than ${MOST_MANIFESTS} manifests`);
  }
  const blobs = manifests.flatMap(({ manifest }) => blobsOf(manifest));
  return [
    ...manifests.map(({ item }) => item),
    ...blobs.filter(({ foreign }) => !foreign).map((blob) => blobItem(place, blob)),
  ];
}

function blobItem(place: string, { digest, size }: Descriptor): PreheatItem {
  return { resource: `${place}/blobs/${digest}`, digest, size };
}

/** @throws ERR_IMAGE_PLATFORM */
function wanted(
  manifests: readonly ListedManifest[],
  platform: Platform | 'all',
  name: string,
): readonly ListedManifest[] {
  if (platform === 'all') return manifests;
  const chosen = choosePlatform(manifests, platform);
  if (chosen !== undefined) return [chosen];
  const offered = manifests.flatMap(({ platform: has }) =>
    has === undefined || has.os === 'unknown' ? [] : [formatPlatform(has)],
  );
  const message = `${name} is not there for ${formatPlatform(platform)}, but for ${offered.join(', ') || 'none'}`;
  throw new ShoalError('ERR_IMAGE_PLATFORM', message);
}

/** The digest that names the manifest, which its bytes have. @throws ERR_DIGEST_MISMATCH */
function provenDigest({ body, headers }: RegistryAnswer, asked: Digest | undefined, name: string): Digest {
  const told = headers['docker-content-digest'];
  const digest = asked ?? (told === undefined ? undefined : parseDigest(told));
  if (digest === undefined) return `sha256:${createHash('sha256').update(body).digest('hex')}` as Digest;
  const algorithm = digestAlgorithm(digest);
  if (`${algorithm}:${createHash(algorithm).update(body).digest('hex')}` === digest) return digest;
  throw new ShoalError(
    'ERR_DIGEST_MISMATCH',
    `the registry gives a manifest of ${name} that is not ${digest}`,
  );
}

/** @throws ERR_SOURCE_REFUSED, ERR_SOURCE_NOT_FOUND, ERR_SOURCE_STATUS, ERR_SOURCE_UNAVAILABLE */
function refuseStatus({ status }: RegistryAnswer, name: string): void {
  if (status === 200) return;
  const details = { status };
  if (status === 401 || status === 403) {
    throw new ShoalError('ERR_SOURCE_REFUSED', `the registry refuses ${name} with ${status}`, { details });
  }
  if (status === 404) {
    throw new ShoalError('ERR_SOURCE_NOT_FOUND', `the registry has no ${name}`, { details });
  }
  const later = status === 429 || status >= 500;
  throw new ShoalError(
    later ? 'ERR_SOURCE_UNAVAILABLE' : 'ERR_SOURCE_STATUS',
    `the registry answers ${status} for ${name}`,
    { details },
  );
}
