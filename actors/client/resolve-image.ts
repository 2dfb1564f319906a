import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import type { FetchItem } from '../../core/fetch-messages.ts';
import { type Digest, digestAlgorithm, parseDigest } from '../../core/ids.ts';
import { fitsPattern } from '../../core/job-words.ts';
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

/** How the parts of an image are found. */
export interface ImageResolver {
  readonly registry: Pick<RegistryClient, 'ask'>;
  /** Base URL of a registry by its name. */
  readonly baseOf: (name: string) => string;
  readonly platform: Platform | 'all';
  /** The login of whoever asks, in the place of this host's own. */
  readonly authorization?: string | undefined;
}

/** One part of an image, and its bytes. */
export interface ImagePart extends FetchItem {
  readonly size: number;
}

/** An index of indexes is followed, one of those is not. */
const DEPTH = 2;
/** Manifests of one image at most. */
const MOST_MANIFESTS = 256;
/** Tags of one pattern, and pages of tags that are read for it, at most. */
const MOST_TAGS = 256;
const MOST_PAGES = 100;

interface Found {
  readonly item: ImagePart;
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
): Promise<ImagePart[]> {
  const base = resolver.baseOf(reference.registry);
  const place = `${base}/v2/${reference.repository}`;
  const name = formatImageReference(reference);

  async function manifestOf(version: string, digest: Digest | undefined): Promise<Found> {
    const path = `/v2/${reference.repository}/manifests/${version}`;
    const answer = await askManifest(resolver, base, path, name, signal);
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

/** The image by the digest that its tag has now. @throws as `resolveImage` */
export async function nameByDigest(
  resolver: ImageResolver,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<ImageReference> {
  if (reference.digest !== undefined) return reference;
  const name = formatImageReference(reference);
  const base = resolver.baseOf(reference.registry);
  const path = `/v2/${reference.repository}/manifests/${reference.tag}`;
  const answer = await askManifest(resolver, base, path, name, signal);
  return { ...reference, digest: provenDigest(answer, undefined, name) };
}

/** The tags of a repository that fit, in the registry's order. @throws ERR_IMAGE_REFERENCE (none, or too many), ERR_SOURCE_* */
export async function fittingTags(
  resolver: ImageResolver,
  { registry, repository }: ImageReference,
  pattern: string,
  signal: AbortSignal,
): Promise<string[]> {
  const base = resolver.baseOf(registry);
  const name = `${registry}/${repository}`;
  const tags: string[] = [];
  let path: string | undefined = `/v2/${repository}/tags/list?n=1000`;
  for (let pages = 0; path !== undefined && pages < MOST_PAGES; pages += 1) {
    const { authorization } = resolver;
    const answer: RegistryAnswer = await resolver.registry.ask(
      { base, method: 'GET', path, authorization },
      signal,
    );
    refuseStatus(answer, `list of the tags of ${name}`);
    const page = tagsSchema.safeParse(jsonOf(answer.body));
    if (!page.success) throw new ShoalError('ERR_IMAGE_MANIFEST', `no list of the tags of ${name}`);
    tags.push(...(page.data.tags ?? []).filter((tag) => fitsPattern(tag, pattern)));
    path = nextPath(answer.headers['link']);
  }
  if (tags.length > 0 && tags.length <= MOST_TAGS) return tags;
  const count = tags.length === 0 ? 'no tag' : `${tags.length} tags, more than ${MOST_TAGS}`;
  throw new ShoalError('ERR_IMAGE_REFERENCE', `${count} of ${name} fit ${pattern}`);
}

const tagsSchema = z.object({ tags: z.array(z.string().max(128)).nullish() });

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

/** Where a list goes on, at the same registry. @see RFC 8288 */
function nextPath(link: string | undefined): string | undefined {
  const [, target] = /<([^>]*)>\s*;[^,]*rel="?next"?/.exec(link ?? '') ?? [];
  if (target === undefined) return undefined;
  const { pathname, search } = new URL(target, 'http://registry.invalid');
  return pathname.startsWith('/v2/') ? `${pathname}${search}` : undefined;
}

/** @throws ERR_SOURCE_* */
async function askManifest(
  { registry, authorization }: ImageResolver,
  base: string,
  path: string,
  name: string,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  const headers = { accept: MANIFEST_ACCEPT };
  const answer = await registry.ask({ base, method: 'GET', path, headers, authorization }, signal);
  refuseStatus(answer, name);
  return answer;
}

function blobItem(place: string, { digest, size }: Descriptor): ImagePart {
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
