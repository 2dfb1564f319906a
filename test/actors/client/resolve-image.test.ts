import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  fittingTags,
  type ImageResolver,
  nameByDigest,
  resolveImage,
} from '../../../actors/client/resolve-image.ts';
import { formatImageReference, parseImageReference } from '../../../core/oci-reference.ts';
import type { RegistryClient } from '../../../origins/registry/registry.ts';
import { tinyImage } from '../../support/tiny-image.ts';
import { startTinyRegistry, type TinyRegistry } from '../../support/tiny-registry.ts';
import { codeOf } from '../../transport/bus-contract.ts';

const image = tinyImage([10, 20, 30]);
const NEVER = new AbortController().signal;
let registry: TinyRegistry;

beforeAll(async () => {
  registry = await startTinyRegistry();
  registry.images.set('team/app:v1', image);
});
afterAll(() => registry[Symbol.asyncDispose]());

/** Asks without any credentials. */
const plainClient: RegistryClient = {
  async ask({ base, method, path, headers }) {
    const answer = await fetch(`${base}${path}`, { method, ...(headers && { headers }) });
    const body = new Uint8Array(await answer.arrayBuffer());
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body, as: 'anonymous' };
  },
};

const resolver = (platform: ImageResolver['platform']): ImageResolver => ({
  registry: plainClient,
  baseOf: () => registry.url,
  platform,
});
const amd64 = { os: 'linux', architecture: 'amd64' };
const resolve = (text: string, platform: ImageResolver['platform'] = amd64) =>
  resolveImage(resolver(platform), parseImageReference(text), NEVER);
const digests = (items: readonly { digest?: string | undefined }[]) => items.map(({ digest }) => digest);

test('an image is its index, its manifest, then configuration and layers in order, each with its size', async () => {
  const items = await resolve('r.example/team/app:v1');
  const { manifests, configs, layers } = image;
  expect(digests(items)).toEqual([image.index, manifests.amd64, configs.amd64, ...layers.amd64]);
  const place = `${registry.url}/v2/team/app`;
  expect(items[0]?.resource).toBe(`${place}/manifests/${image.index}`);
  expect(items[1]?.resource).toBe(`${place}/manifests/${manifests.amd64}`);
  expect(items.slice(2).map(({ resource }) => resource)).toEqual(
    [configs.amd64, ...layers.amd64].map((digest) => `${place}/blobs/${digest}`),
  );
  for (const { digest, size } of items) expect(size).toBe(image.contents.get(digest as never)?.bytes.length);
});

test('all platforms are every manifest of the index', async () => {
  const { manifests, configs, layers, index } = image;
  const all = await resolve('r.example/team/app:v1', 'all');
  expect([...new Set(digests(all))]).toEqual([
    ...[index, manifests.amd64, manifests.arm64, configs.amd64, ...layers.amd64, configs.arm64],
    ...layers.arm64.slice(1),
  ]);
});

test('an image of a digest is that one, whatever the tag says', async () => {
  const { manifests, configs, layers } = image;
  const items = await resolve(`r.example/team/app:none@${manifests.arm64}`);
  expect(digests(items)).toEqual([manifests.arm64, configs.arm64, ...layers.arm64]);
});

test('a platform that is not there is refused with those that are', async () => {
  const refused = resolve('r.example/team/app:v1', { os: 'linux', architecture: 's390x' });
  await expect(refused).rejects.toMatchObject({
    code: 'ERR_IMAGE_PLATFORM',
    message: 'r.example/team/app:v1 is not there for linux/s390x, but for linux/amd64, linux/arm64',
  });
});

test('a digest of an algorithm that nobody chose hinders nobody, and one that was chosen is refused', async () => {
  const { bytes = Buffer.alloc(0) } = image.contents.get(image.index) ?? {};
  const { manifests } = JSON.parse(bytes.toString()) as { manifests: object[] };
  const strange = {
    digest: `blake3:${'2'.repeat(64)}`,
    size: 3,
    platform: { os: 'linux', architecture: 's390x' },
  };
  const index = Buffer.from(JSON.stringify({ manifests: [...manifests, strange] }));
  const from = (platform: ImageResolver['platform']): ImageResolver => ({
    ...resolver(platform),
    registry: {
      ask: async (request, signal) =>
        request.path.endsWith('/odd')
          ? { status: 200, headers: {}, body: index, as: 'anonymous' }
          : plainClient.ask(request, signal),
    },
  });
  const odd = parseImageReference('r.example/team/app:odd');
  const items = await resolveImage(from(amd64), odd, NEVER);
  const { amd64: manifest } = image.manifests;
  expect(digests(items).slice(1)).toEqual([manifest, image.configs.amd64, ...image.layers.amd64]);
  for (const platform of ['all', strange.platform] as const)
    expect(await codeOf(resolveImage(from(platform), odd, NEVER))).toBe('ERR_IMAGE_MANIFEST');
});

test('what the registry does not have is not found', async () => {
  expect(await codeOf(resolve('r.example/team/app:v2'))).toBe('ERR_SOURCE_NOT_FOUND');
});

/** A registry that answers every manifest with the same. */
const answering = (
  body: string | Uint8Array,
  status = 200,
  headers: Record<string, string> = {},
): ImageResolver => ({
  ...resolver(amd64),
  registry: {
    ask: async () => ({
      status,
      headers,
      body: typeof body === 'string' ? Buffer.from(body) : body,
      as: 'anonymous',
    }),
  },
});
const reference = parseImageReference('r.example/a');

test.each([
  [401, 'ERR_SOURCE_REFUSED'],
  [403, 'ERR_SOURCE_REFUSED'],
  [404, 'ERR_SOURCE_NOT_FOUND'],
  [429, 'ERR_SOURCE_UNAVAILABLE'],
  [302, 'ERR_SOURCE_STATUS'],
  [503, 'ERR_SOURCE_UNAVAILABLE'],
])('status %d is %s', async (status, code) => {
  expect(await codeOf(resolveImage(answering('', status), reference, NEVER))).toBe(code);
});

test('a manifest that has not the digest it is given with is refused', async () => {
  const { bytes } = image.contents.get(image.manifests.amd64) ?? { bytes: Buffer.alloc(0) };
  const digest = image.manifests.arm64;
  const told = answering(bytes, 200, { 'docker-content-digest': digest });
  expect(await codeOf(resolveImage(told, reference, NEVER))).toBe('ERR_DIGEST_MISMATCH');
  const asked = parseImageReference(`r.example/a@${digest}`);
  expect(await codeOf(resolveImage(answering(bytes), asked, NEVER))).toBe('ERR_DIGEST_MISMATCH');
  const longer = `sha512:${createHash('sha512').update(bytes).digest('hex')}`;
  const [first] = await resolveImage(
    answering(bytes, 200, { 'docker-content-digest': longer }),
    reference,
    NEVER,
  );
  expect(first?.digest).toBe(longer);
});

test('an artifact is its manifest and its blobs', async () => {
  const digest = `sha256:${'1'.repeat(64)}`;
  const body = JSON.stringify({
    mediaType: 'application/vnd.oci.artifact.manifest.v1+json',
    blobs: [{ mediaType: '', digest, size: 7 }],
  });
  const items = await resolveImage(answering(body), reference, NEVER);
  expect(items).toMatchObject([{ size: body.length }, { digest, size: 7 }]);
});

test('an index that leads to itself, or to a thousand, ends', async () => {
  const listed = (text: string) => ({
    mediaType: 'application/vnd.oci.image.index.v1+json',
    digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
    size: 1,
  });
  let deep = '{"manifests":[]}';
  const bodies = new Map<string, string>();
  for (let depth = 0; depth < 4; depth += 1) {
    const below = listed(deep);
    bodies.set(below.digest, deep);
    deep = JSON.stringify({ manifests: [below] });
  }
  const serving = (top: string): ImageResolver => ({
    ...resolver('all'),
    registry: {
      async ask({ path }) {
        const body = Buffer.from(bodies.get(path.split('/').at(-1) ?? '') ?? top);
        return { status: 200, headers: {}, body, as: 'anonymous' };
      },
    },
  });
  expect(await codeOf(resolveImage(serving(deep), reference, NEVER))).toBe('ERR_IMAGE_MANIFEST');
  const many = Array.from({ length: 300 }, (_, index) => {
    const text = `{"config":{"mediaType":"c","digest":"sha256:${'0'.repeat(64)}","size":${index}},"layers":[]}`;
    bodies.set(listed(text).digest, text);
    return listed(text);
  });
  const wide = serving(JSON.stringify({ manifests: many }));
  expect(await codeOf(resolveImage(wide, reference, NEVER))).toBe('ERR_IMAGE_MANIFEST');
});

test('a tag is named by the digest that it has now, a digest by itself', async () => {
  const named = await nameByDigest(resolver(amd64), parseImageReference('r.example/team/app:v1'), NEVER);
  expect(formatImageReference(named)).toBe(`r.example/team/app:v1@${image.index}`);
  const digest = parseImageReference(`r.example/team/app@${image.manifests.arm64}`);
  expect(await nameByDigest(resolver(amd64), digest, NEVER)).toBe(digest);
});

test('tags that fit a pattern are found on every page of the list', async () => {
  const pages = new Map([
    [
      '/v2/a/tags/list?n=1000',
      { tags: ['v1.0', 'v2.0', 'latest'], link: '</v2/a/tags/list?last=latest>; rel="next"' },
    ],
    [
      '/v2/a/tags/list?last=latest',
      { tags: ['v1.1', 'xv1.2', 'v1'], link: 'http://elsewhere.example/other' },
    ],
  ]);
  const listing: ImageResolver = {
    ...resolver(amd64),
    registry: {
      async ask({ path }) {
        const { tags = null, link = '' } = pages.get(path) ?? {};
        return {
          status: 200,
          headers: { link },
          body: Buffer.from(JSON.stringify({ tags })),
          as: 'anonymous',
        };
      },
    },
  };
  const tags = (pattern: string, name = 'r.example/a') =>
    fittingTags(listing, parseImageReference(name), pattern, NEVER);
  expect(await tags('v1.*')).toEqual(['v1.0', 'v1.1']);
  expect(await tags('v?*')).toEqual(['v1.0', 'v2.0', 'v1.1', 'v1']);
  expect(await codeOf(tags('w*'))).toBe('ERR_IMAGE_REFERENCE');
  expect(await codeOf(tags('*', 'r.example/empty'))).toBe('ERR_IMAGE_REFERENCE');
});

test('whatever a registry answers is an image or an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (body) => {
      const code = await codeOf(resolveImage(answering(body), reference, NEVER)).catch(String);
      expect(code).toMatch(/^ERR_(IMAGE|DIGEST|SOURCE)_/);
    }),
  );
});
