import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ImageRow } from '../admin/control.ts';
import { type Digest, digestOfTask, isDigest } from '../core/ids.ts';
import { blobsOf, MANIFEST_BYTES, type Manifest, parseManifest } from '../core/oci-manifest.ts';
import { formatPlatform, type Platform } from '../core/oci-platform.ts';
import type { Source } from '../core/source.ts';
import { registryTargetOf } from '../origins/registry/target.ts';
import type { Store, StoredRow } from '../storage/store.ts';

type Shelf = Pick<Store, 'rows' | 'look'>;
/** Of what is here under several names, the one with the most of it. */
type Held = ReadonlyMap<Digest, StoredRow>;

/** A manifest that is here whole. */
interface Known {
  readonly digest: Digest;
  readonly row: StoredRow;
  readonly manifest: Manifest;
  readonly places: readonly Place[];
}

interface Place {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string | undefined;
}

/** Names what a base URL of a registry is called. */
export type RegistryNamer = (base: string) => string;

const MANIFEST_TYPE = /^application\/vnd\.(?:oci\.image|docker\.distribution)\.[a-z.]*(?:manifest|index)/;
const configBody = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });

/** The images whose manifest is here whole, and how much of each is; looking at them is no use of them. */
export async function listImages(store: Shelf, nameOf: RegistryNamer): Promise<ImageRow[]> {
  const known: Known[] = [];
  const held = new Map<Digest, StoredRow>();
  for (const row of [...store.rows()]) {
    const digest = digestOfTask(row.taskId);
    if (digest === undefined) continue;
    if ((held.get(digest)?.storedBytes ?? -1) < row.storedBytes) held.set(digest, row);
    if (!row.complete || (row.length ?? 0) > MANIFEST_BYTES) continue;
    const found = await manifestHere(store, row, digest, nameOf);
    if (found !== undefined) known.push(found);
  }
  const platforms = new Map<string, Platform>();
  for (const { manifest } of known) {
    if (manifest.kind !== 'index') continue;
    for (const { digest, platform } of manifest.manifests) if (platform) platforms.set(digest, platform);
  }
  const rows = await Promise.all(
    known.map(async (one) => {
      const platform = platforms.get(one.digest) ?? (await platformOf(store, held, one.manifest));
      return one.places.map((place): ImageRow => ({ ...place, ...partsOf(held, one, platform) }));
    }),
  );
  return rows.flat().sort(inOrder);
}

function inOrder(a: ImageRow, b: ImageRow): number {
  const [left, right] = [a, b].map(({ registry, repository, kind, platform = '', digest }) =>
    [registry, repository, kind === 'index' ? '0' : '1', platform, digest].join(' '),
  ) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}

async function manifestHere(
  store: Shelf,
  row: StoredRow,
  digest: Digest,
  nameOf: RegistryNamer,
): Promise<Known | undefined> {
  try {
    const stored = await store.look(row.taskId);
    if (!stored?.complete) return undefined;
    const { mediaType, sources } = stored.record;
    const places = placesOf(sources, nameOf);
    const isTyped = mediaType !== undefined && MANIFEST_TYPE.test(mediaType);
    if (places.length === 0 && !isTyped) return undefined;
    const manifest = parseManifest(await readFile(stored.path), isTyped ? mediaType : undefined);
    const nowhere = { registry: '', repository: '' };
    return { digest, row, manifest, places: places.length > 0 ? places : [nowhere] };
  } catch {
    // What is gone by now, or is no manifest after all, is no image.
    return undefined;
  }
}

/** Where the manifest is from, each repository once; the tag where its URL has one. */
function placesOf(sources: readonly Source[], nameOf: RegistryNamer): Place[] {
  const places = new Map<string, Place>();
  for (const { url } of sources) {
    const target = registryTargetOf(url);
    if (target === undefined || !target.isManifest) continue;
    const { base, repository } = target;
    const version = new URL(url).pathname.split('/').at(-1) ?? '';
    const registry = nameOf(base);
    const tag = version.includes(':') ? places.get(`${registry}/${repository}`)?.tag : version;
    places.set(`${registry}/${repository}`, { registry, repository, ...(tag !== undefined && { tag }) });
  }
  return [...places.values()];
}

/** Where no index here says it, the configuration of the image does. */
async function platformOf(store: Shelf, held: Held, manifest: Manifest): Promise<Platform | undefined> {
  if (manifest.kind === 'index' || manifest.config === undefined) return undefined;
  if (manifest.config.size > MANIFEST_BYTES) return undefined;
  const row = held.get(manifest.config.digest);
  try {
    if (row?.complete !== true) return undefined;
    const stored = await store.look(row.taskId);
    if (!stored?.complete) return undefined;
    return configBody.parse(JSON.parse(await readFile(stored.path, 'utf8')));
  } catch {
    return undefined;
  }
}

function partsOf(
  held: Held,
  { digest, row, manifest }: Known,
  platform: Platform | undefined,
): Omit<ImageRow, keyof Place> {
  const isIndex = manifest.kind === 'index';
  const blobs = blobsOf(manifest);
  const parts = new Set<string>((isIndex ? manifest.manifests : blobs).map((part) => part.digest));
  const here = [...parts].filter(isDigest).flatMap((part) => held.get(part) ?? []);
  const own = row.length ?? 0;
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, own);
  return {
    digest,
    kind: manifest.kind,
    ...(platform !== undefined && { platform: formatPlatform(platform) }),
    // The parts of an index are images of their own, each with its row.
    size: sum(distinctSizes(blobs)),
    here: isIndex ? own : sum(here.map(({ storedBytes }) => storedBytes)),
    parts: parts.size,
    partsHere: here.filter(({ complete }) => complete).length,
    lastUsedMs: Math.max(row.lastUsedMs, ...(isIndex ? [] : here.map(({ lastUsedMs }) => lastUsedMs))),
  };
}

/** A layer may stand in an image twice, and is here once. */
function distinctSizes(parts: readonly { readonly digest: Digest; readonly size: number }[]): number[] {
  return [...new Map(parts.map(({ digest, size }) => [digest, size])).values()];
}
