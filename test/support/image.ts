import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { ROOT } from './child.ts';
import { MIB } from './files.ts';
import { TAR_END, TAR_PATH_CHARS, tarEntry, tarText } from './tar.ts';

/** One blob of an image. */
export interface Blob {
  readonly digest: string;
  readonly bytes: number;
  readonly file: string;
}

/** An OCI image of real files of this machine, as an OCI layout. */
export interface Image {
  /** The layout; its only image has the tag `v1`. */
  readonly dir: string;
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layers: readonly Blob[];
  /** Config and layers. */
  readonly blobs: readonly Blob[];
  /** Bytes of config and layers. */
  readonly bytes: number;
}

export const TAG = 'v1';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_FILE = 'index.json';
const ROOTS = ['/usr/bin', '/usr/sbin', '/usr/lib', join(ROOT, 'node_modules'), '/usr/share'];

/** Sizes of the layers of the image that acceptance tests pull: 210 MiB in all. */
export const LARGE_LAYERS: readonly number[] = [64, 48, 40, 32, 18, 8].map((mib) => mib * MIB);

/** Real files below the roots, the same in the same order whenever the machine is the same. */
function* realFiles(): Generator<{ path: string; bytes: number }> {
  const folders = ROOTS.filter((path) => existsSync(path)).reverse();
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const inside: string[] = [];
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory()) inside.push(path);
      else if (found?.isFile() && found.size > 0 && Buffer.byteLength(path) <= TAR_PATH_CHARS)
        yield { path, bytes: found.size };
    }
    folders.push(...inside.reverse());
  }
}

interface Layer extends Blob {
  readonly diffId: string;
}

/** Writes one gzip layer of about `target` bytes, `text` first; `take` gives the next file that is not larger than asked. */
async function writeLayer(
  folder: string,
  target: number,
  text: string,
  take: (most: number) => string | undefined,
): Promise<Layer> {
  const temporary = join(folder, 'layer.part');
  const file = await open(temporary, 'w');
  const gzip = createGzip({ level: 1 });
  const [raw, packed] = [createHash('sha256'), createHash('sha256')];
  let bytes = 0;
  const entries = async function* () {
    if (text !== '') {
      const entry = tarText('etc/edition', text);
      raw.update(entry);
      yield entry;
    }
    // What is inside the compressor is not counted yet, so a layer comes out a little larger.
    while (bytes < target) {
      const path = take(Math.max(16 * 1024, (target - bytes) * 1.5));
      if (path === undefined) break;
      const entry = tarEntry(path);
      raw.update(entry);
      yield entry;
    }
    raw.update(TAR_END);
    yield TAR_END;
  };
  await pipeline(entries, gzip, async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) {
      bytes += chunk.length;
      packed.update(chunk);
      await file.write(chunk);
    }
  });
  await file.close();
  const hex = packed.digest('hex');
  renameSync(temporary, join(folder, hex));
  return {
    digest: `sha256:${hex}`,
    bytes,
    file: join(folder, hex),
    diffId: `sha256:${raw.digest('hex')}`,
  };
}

/**
 * Builds an image with layers of about these sizes, or finds the one built before; another edition of it shares no blob
 * with it. @throws Error where this machine has too few files
 */
export async function buildImage(layerBytes: readonly number[] = LARGE_LAYERS, edition = ''): Promise<Image> {
  const key = createHash('sha256')
    .update(`${process.version} ${layerBytes.join(' ')} ${edition}`)
    .digest('hex');
  const dir = join(tmpdir(), `shoal-image-${key.slice(0, 16)}`);
  if (!existsSync(join(dir, INDEX_FILE))) {
    const draft = `${dir}-${process.pid}`;
    await writeImage(draft, layerBytes, edition);
    rmSync(dir, { recursive: true, force: true });
    renameSync(draft, dir);
  }
  return readImage(dir);
}

async function writeImage(dir: string, layerBytes: readonly number[], edition: string): Promise<void> {
  rmSync(dir, { recursive: true, force: true });
  const folder = join(dir, 'blobs/sha256');
  mkdirSync(folder, { recursive: true });
  const source = realFiles();
  const waiting: { path: string; bytes: number }[] = [];
  const take = (most: number): string | undefined => {
    const fit = waiting.findIndex((one) => one.bytes <= most);
    if (fit >= 0) return waiting.splice(fit, 1)[0]?.path;
    // Not `for of`, which would end the generator with the first return.
    for (let next = source.next(); !next.done; next = source.next()) {
      if (next.value.bytes <= most) return next.value.path;
      waiting.push(next.value);
    }
    return undefined;
  };
  const layers: Layer[] = [];
  for (const bytes of layerBytes) layers.push(await writeLayer(folder, bytes, edition, take));
  if (layers.some((layer, index) => layer.bytes < (layerBytes[index] ?? 0) * 0.9)) {
    throw new Error('this machine has too few files for the image');
  }
  const put = async (mediaType: string, value: object) => {
    const text = JSON.stringify(value);
    const hex = createHash('sha256').update(text).digest('hex');
    await writeFile(join(folder, hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  };
  const config = await put('application/vnd.oci.image.config.v1+json', {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: ['/usr/bin/node'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created_by: 'real files' })),
  });
  const manifest = await put(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config,
    layers: layers.map(({ digest, bytes }) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest,
      size: bytes,
    })),
  });
  const annotations = { 'org.opencontainers.image.ref.name': TAG };
  await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await writeFile(join(dir, INDEX_FILE), JSON.stringify(index));
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

function readImage(dir: string): Image {
  const blob = ({ digest, size }: Descriptor): Blob => ({
    digest,
    bytes: size,
    file: join(dir, 'blobs', digest.replace(':', '/')),
  });
  const index = JSON.parse(readFileSync(join(dir, INDEX_FILE), 'utf8')) as { manifests: [Descriptor] };
  const manifest = blob(index.manifests[0]);
  const parts = JSON.parse(readFileSync(manifest.file, 'utf8')) as {
    config: Descriptor;
    layers: Descriptor[];
  };
  const config = blob(parts.config);
  const layers = parts.layers.map(blob);
  const blobs = [config, ...layers];
  return { dir, manifest, config, layers, blobs, bytes: blobs.reduce((sum, one) => sum + one.bytes, 0) };
}

async function upload(url: string, repository: string, blob: Blob, from?: string): Promise<void> {
  const mount = from === undefined ? '' : `?mount=${blob.digest}&from=${from}`;
  const begun = await fetch(`${url}/v2/${repository}/blobs/uploads/${mount}`, { method: 'POST' });
  if (begun.status === 201) return;
  const location = new URL(begun.headers.get('location') ?? '', url);
  location.searchParams.set('digest', blob.digest);
  const put = await fetch(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: readFileSync(blob.file),
  });
  if (put.status !== 201) throw new Error(`upload of ${blob.digest} was answered ${put.status}`);
}

/** Pushes an image to repositories of a registry that asks nobody's name, with the tag `v1`. @throws Error where it is refused */
export async function pushImage(url: string, image: Image, repositories: readonly string[]): Promise<void> {
  const [first] = repositories;
  for (const repository of repositories) {
    for (const blob of image.blobs) {
      await upload(url, repository, blob, repository === first ? undefined : first);
    }
    const put = await fetch(`${url}/v2/${repository}/manifests/${TAG}`, {
      method: 'PUT',
      headers: { 'content-type': MANIFEST_TYPE },
      body: readFileSync(image.manifest.file),
    });
    if (put.status !== 201) throw new Error(`the manifest was answered ${put.status}: ${await put.text()}`);
  }
}

/** Pushes a blob that belongs to no image. */
export async function pushBlob(url: string, repository: string, blob: Blob): Promise<void> {
  await upload(url, repository, blob);
}
