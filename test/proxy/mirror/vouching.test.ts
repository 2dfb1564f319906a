import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blobsNamedIn } from '../../../core/oci-manifest.ts';
import { digestOf, startScene } from './scene.ts';

const LAYER = Buffer.from('a layer');
const CONFIG = Buffer.from('{}');
const [layer, config] = [digestOf(LAYER), digestOf(CONFIG)];
const TYPE = 'application/vnd.oci.image.manifest.v1+json';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const part = (digest: string) => ({ mediaType: 'application/octet-stream', digest, size: 1 });

test('a manifest names its config and its layers', () => {
  expect(blobsNamedIn(bytes({ config: part(config), layers: [part(layer), part(layer)] }))).toEqual([
    config,
    layer,
    layer,
  ]);
});

test.each([
  ['nothing', null],
  ['a text', 'sha256'],
  ['a list', [part(layer)]],
  ['an index', { manifests: [part(layer)] }],
  ['layers that are no list', { config: part(config), layers: part(layer) }],
  ['digests that are none', { config: part(config), layers: [part(`${layer}/../x`)] }],
])('%s names none', (_, value) => {
  expect(blobsNamedIn(bytes(value))).toEqual([]);
});

test('whatever a registry sends, what comes of it is digests, and not many', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (document) => blobsNamedIn(document).length === 0),
  );
  fc.assert(
    fc.property(fc.json(), (text) =>
      blobsNamedIn(Buffer.from(text)).every((digest) => /^sha\d+:[0-9a-f]+$/.test(digest)),
    ),
  );
  const many = Array.from({ length: 1_000 }, () => part(layer));
  expect(blobsNamedIn(bytes({ config: part(config), layers: many })).length).toBe(513);
  expect(
    blobsNamedIn(bytes({ config: part(config), layers: [part(layer)], more: 'x'.repeat(2 ** 20) })),
  ).toEqual([]);
});

/** A mirror before a repository with an image of one layer, for everybody or for two credentials. */
async function withImage(memoryMs: number) {
  const scene = await startScene({ memoryMs });
  const manifest = bytes({ schemaVersion: 2, config: part(config), layers: [part(layer)] });
  const digest = digestOf(manifest);
  for (const content of [LAYER, CONFIG, manifest]) scene.swarm.set(digestOf(content), content);
  scene.upstream = ({ authorization, path }) =>
    authorization === 'Bearer a' || authorization === 'Bearer b' || path.includes('/open/')
      ? {
          headers: path.includes('/manifests/')
            ? { 'docker-content-digest': digest, 'content-type': TYPE }
            : {},
        }
      : { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } };
  const as = (authorization?: string) => (authorization === undefined ? {} : { authorization });
  const blob = (name: string, authorization?: string, of: string = layer) =>
    scene.ask(`/v2/${name}/blobs/${of}?ns=r.example`, as(authorization));
  const manifestOf = (name: string, authorization?: string) =>
    scene.ask(`/v2/${name}/manifests/v1?ns=r.example`, as(authorization));
  const heads = () => scene.asked.filter(({ path }) => path.includes('/blobs/')).length;
  return { scene, blob, manifestOf, heads };
}

test('whoever was given a manifest that is everybody’s is given its blobs without another question to the registry', async () => {
  const { scene, blob, manifestOf, heads } = await withImage(30_000);
  await using _ = scene;
  expect((await manifestOf('open/app')).status).toBe(200);
  expect(await blob('open/app')).toMatchObject({ status: 200, body: LAYER });
  expect((await blob('open/app', undefined, config)).status).toBe(200);
  expect(heads()).toBe(0);
});

test.each([
  ['a credential', 'open/app', 'Bearer a', 200],
  ['a wrong credential', 'app', 'Bearer c', 401],
  ['another repository', 'open/other', undefined, 200],
  ['a repository that is closed', 'app', undefined, 401],
])('%s is a question', async (_, name, authorization, status) => {
  const { scene, blob, manifestOf, heads } = await withImage(30_000);
  await using _scene = scene;
  await manifestOf('open/app');
  expect((await blob(name, authorization)).status).toBe(status);
  expect(heads()).toBe(1);
});

test('a manifest that one credential was given names nothing: each blob is a question', async () => {
  const { scene, blob, manifestOf, heads } = await withImage(30_000);
  await using _ = scene;
  await manifestOf('app', 'Bearer a');
  expect((await blob('app', 'Bearer a')).status).toBe(200);
  expect((await blob('app', 'Bearer a', config)).status).toBe(200);
  expect(heads()).toBe(2);
});

test('a blob that the manifest does not name is a question, and any where nothing is remembered', async () => {
  const remembered = await withImage(30_000);
  await using _ = remembered.scene;
  const other = Buffer.from('of somebody else');
  remembered.scene.swarm.set(digestOf(other), other);
  await remembered.manifestOf('open/app');
  await remembered.blob('open/app', undefined, digestOf(other));
  expect(remembered.heads()).toBe(1);
  const forgotten = await withImage(0);
  await using _scene = forgotten.scene;
  await forgotten.manifestOf('open/app');
  await forgotten.blob('open/app');
  expect(forgotten.heads()).toBe(1);
});
