import { expect, test } from 'vitest';
import { listImages } from '../../app/images.ts';
import { type Digest, type TaskId, taskIdAt, taskIdOfDigest } from '../../core/ids.ts';
import { registryNamer } from '../../core/registry-names.ts';
import type { Store } from '../../storage/store.ts';
import { openIn, temporaryDir } from '../storage/support.ts';
import { tinyImage } from '../support/tiny-image.ts';

const PIECE = 131_072;
const nameOf = registryNamer({ 'local:5000': 'http://10.0.0.5:5000' });

/** Puts content in the store, whole or but for its end. */
async function keep(
  store: Store,
  digest: Digest,
  bytes: Uint8Array,
  {
    urls = [],
    mediaType,
    partly = false,
    taskId = taskIdOfDigest(digest),
  }: { urls?: string[]; mediaType?: string; partly?: boolean; taskId?: TaskId },
): Promise<void> {
  const sources = urls.map((url) => ({ url, credentials: false }));
  const length = bytes.length;
  const record = {
    taskId,
    length,
    pieceLength: PIECE,
    audience: 'public' as const,
    sources,
  };
  const task = await store.create({ ...record, mediaType });
  const count = partly ? 1 : Math.ceil(length / PIECE);
  const found: [number, Uint8Array, number][] = [];
  const writer = task.writer(0, count, (...piece) => void found.push(piece));
  await writer.write(bytes.subarray(0, count * PIECE));
  await writer.end();
  for (const piece of found) task.commit(...piece);
  if (!partly) await task.seal();
}

test('images are listed with where they are from, what they run on and how much of them is here', async () => {
  const store = await openIn(temporaryDir());
  const image = tinyImage([200_000, 300_000]);
  const bytesOf = (digest: Digest) => image.contents.get(digest)?.bytes ?? Buffer.alloc(0);
  const sizeOf = (digests: readonly Digest[]) =>
    digests.reduce((sum, digest) => sum + bytesOf(digest).length, 0);
  const place = 'https://registry-1.docker.io/v2/library/app';
  const other = 'http://10.0.0.5:5000/v2/team/app';
  await keep(store, image.index, bytesOf(image.index), { urls: [`${place}/manifests/v1`] });
  const { amd64 } = image.manifests;
  await keep(store, amd64, bytesOf(amd64), {
    urls: [`${place}/manifests/${amd64}`, `${other}/manifests/${amd64}`],
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
  });
  await keep(store, image.configs.amd64, bytesOf(image.configs.amd64), { urls: [`${place}/blobs/x`] });
  const [shared, own] = image.layers.amd64 as [Digest, Digest];
  await keep(store, shared, bytesOf(shared), {});
  await keep(store, own, bytesOf(own), { partly: true });
  const before = [...store.rows()];

  const whole = sizeOf([amd64, image.configs.amd64, shared, own]);
  const here = whole - bytesOf(own).length + PIECE;
  const app = {
    digest: amd64,
    kind: 'image',
    platform: 'linux/amd64',
    size: whole,
    here,
    parts: 3,
    partsHere: 2,
  };
  const lastUsedMs = expect.any(Number);
  const indexBytes = bytesOf(image.index).length;
  expect(await listImages(store, nameOf)).toEqual([
    {
      ...{ registry: 'docker.io', repository: 'library/app', tag: 'v1', digest: image.index, kind: 'index' },
      ...{ size: indexBytes, here: indexBytes, parts: 2, partsHere: 1, lastUsedMs },
    },
    { registry: 'docker.io', repository: 'library/app', ...app, lastUsedMs },
    { registry: 'local:5000', repository: 'team/app', ...app, lastUsedMs },
  ]);
  expect([...store.rows()]).toEqual(before);
  await store.close();
});

test('without an index the configuration says what an image runs on; without either nobody does', async () => {
  const store = await openIn(temporaryDir());
  const image = tinyImage([1_000]);
  const bytesOf = (digest: Digest) => image.contents.get(digest)?.bytes ?? Buffer.alloc(0);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  for (const digest of Object.values(image.manifests))
    await keep(store, digest, bytesOf(digest), { mediaType });
  await keep(store, image.configs.arm64, bytesOf(image.configs.arm64), {});
  const rows = await listImages(store, nameOf);
  expect(rows.map(({ registry, platform }) => [registry, platform])).toEqual([
    ['', undefined],
    ['', 'linux/arm64'],
  ]);
  await store.close();
});

test('what is here under a name of its own, for it was read at another place, is here too', async () => {
  const store = await openIn(temporaryDir());
  const image = tinyImage([1_000]);
  const bytesOf = (digest: Digest) => image.contents.get(digest)?.bytes ?? Buffer.alloc(0);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const urls = [`https://r.test/v2/app/manifests/${image.manifests.amd64}`];
  await keep(store, image.manifests.amd64, bytesOf(image.manifests.amd64), { mediaType, urls });
  for (const digest of [image.configs.amd64, ...image.layers.amd64])
    await keep(store, digest, bytesOf(digest), { taskId: taskIdAt(digest, 'https://r.test') });
  const rows = await listImages(store, nameOf);
  expect(rows).toMatchObject([{ parts: 2, partsHere: 2, platform: 'linux/amd64' }]);
  expect(rows[0]?.here).toBe(rows[0]?.size);
  await store.close();
});

test('what is no manifest, whatever it calls itself, is no image', async () => {
  const store = await openIn(temporaryDir());
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const texts = [
    '',
    '{',
    '[]',
    '{"config":{}}',
    '{"layers":[{"digest":"../../etc/passwd"}]}',
    '\u0000\u0001',
  ];
  const { createHash } = await import('node:crypto');
  for (const text of texts) {
    const bytes = Buffer.from(text);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
    await keep(store, digest, bytes, { mediaType, urls: ['http://r/v2/a/manifests/v1'] });
  }
  expect(await listImages(store, nameOf)).toEqual([]);
  await store.close();
});
