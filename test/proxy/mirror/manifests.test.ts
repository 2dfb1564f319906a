import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import { digestOf, errorsOf, type Scene, startScene, type Upstream } from './scene.ts';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
const DIGEST = digestOf(MANIFEST);
const BY_TAG = '/v2/library/app/manifests/latest?ns=docker.io';
const BY_DIGEST = `/v2/library/app/manifests/${DIGEST}?ns=docker.io`;
const down: Upstream = () => new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no route');

const says =
  (mediaType = OCI): Upstream =>
  () => ({
    headers: {
      'docker-content-digest': DIGEST,
      'content-type': mediaType,
      'content-length': String(MANIFEST.length),
    },
  });

async function withManifest(more: Parameters<typeof startScene>[0] = {}): Promise<Scene> {
  const scene = await startScene(more);
  scene.swarm.set(DIGEST, MANIFEST);
  scene.upstream = says();
  return scene;
}

test.each([BY_TAG, BY_DIGEST])(
  '%s is given with the type and the digest its registry gave',
  async (target) => {
    await using scene = await withManifest();
    scene.upstream = says(INDEX);
    const expected = {
      status: 200,
      headers: {
        'content-type': INDEX,
        'content-length': String(MANIFEST.length),
        'docker-content-digest': DIGEST,
        etag: `"${DIGEST}"`,
        'oci-namespace': 'docker.io',
      },
    };
    expect(await scene.ask(target, { accept: `${OCI}, ${INDEX}` })).toMatchObject({
      ...expected,
      body: MANIFEST,
    });
    expect(scene.asked[0]?.headers?.['accept']).toBe(`${OCI}, ${INDEX}`);
    const head = await scene.ask(target, {}, 'HEAD');
    expect(head).toMatchObject(expected);
    expect(head.body).toHaveLength(0);
  },
);

test('a tag is asked for at its registry each time, and its manifest proven by the same answer', async () => {
  await using scene = await withManifest({ memoryMs: 60_000 });
  await scene.ask(BY_TAG);
  await scene.ask(BY_TAG);
  expect(scene.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'HEAD /v2/library/app/manifests/latest',
    'HEAD /v2/library/app/manifests/latest',
  ]);
});

describe('its type, where the registry does not say it', () => {
  test('is the one it had when it was fetched', async () => {
    await using scene = await withManifest();
    scene.cache.set(DIGEST, { content: MANIFEST, mediaType: INDEX });
    scene.upstream = () => ({});
    expect((await scene.ask(BY_DIGEST)).headers['content-type']).toBe(INDEX);
  });

  test('is what its shape says', async () => {
    await using scene = await withManifest();
    scene.upstream = () => ({});
    expect((await scene.ask(BY_DIGEST)).headers['content-type']).toBe(OCI);
  });
});

test('a registry that tells no digest is asked for the manifest itself', async () => {
  await using scene = await withManifest();
  scene.upstream = () => ({ headers: { 'content-type': OCI }, body: MANIFEST });
  const answer = await scene.ask(BY_TAG);
  expect(answer).toMatchObject({
    status: 200,
    body: MANIFEST,
    headers: { 'docker-content-digest': DIGEST, 'content-type': OCI, 'x-shoal-from': 'upstream' },
  });
  expect(scene.streamed).toEqual([]);
});

test('a registry without HEAD is asked by GET', async () => {
  await using scene = await withManifest();
  scene.upstream = (request) => (request.method === 'HEAD' ? { status: 405 } : says()(request));
  expect(await scene.ask(BY_TAG)).toMatchObject({ status: 200, body: MANIFEST });
});

test('a registry that gives its manifests by tag alone is passed through', async () => {
  await using scene = await withManifest();
  scene.swarm.clear();
  const byTag = says();
  scene.upstream = (request) =>
    request.path.endsWith('/latest') ? { ...byTag(request), body: MANIFEST } : { status: 404 };
  expect(await scene.ask(BY_TAG)).toMatchObject({
    status: 200,
    body: MANIFEST,
    headers: { 'docker-content-digest': DIGEST, 'content-type': OCI, 'x-shoal-from': 'upstream' },
  });
  expect((await scene.ask(BY_DIGEST)).status).toBe(404);
});

test('a manifest of Docker’s first schema passes through', async () => {
  await using scene = await withManifest();
  const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
  const signed = Buffer.from('{"schemaVersion":1,"signatures":[]}');
  const headers = { 'docker-content-digest': DIGEST, 'content-type': type };
  scene.upstream = () => ({ headers, body: signed });
  expect(await scene.ask(BY_TAG)).toMatchObject({
    status: 200,
    body: signed,
    headers: { 'content-type': type, 'docker-content-digest': DIGEST },
  });
  expect(scene.streamed).toEqual([]);
});

describe('refusals', () => {
  test.each([
    [401, 401, 'UNAUTHORIZED'],
    [403, 403, 'DENIED'],
    [404, 404, 'MANIFEST_UNKNOWN'],
    [429, 429, 'TOOMANYREQUESTS'],
    [502, 503, 'UNAVAILABLE'],
  ])('%i is told as %i %s, by tag and by digest', async (upstream, status, code) => {
    await using scene = await withManifest();
    scene.cache.set(DIGEST, { content: MANIFEST });
    scene.upstream = () => ({ status: upstream });
    for (const target of [BY_TAG, BY_DIGEST]) {
      const answer = await scene.ask(target);
      expect(answer.status).toBe(status);
      expect(errorsOf(answer)).toMatchObject([{ code }]);
    }
  });

  test('the registry’s own words on a tag are passed on where it sent some', async () => {
    await using scene = await withManifest();
    const body = Buffer.from('{"errors":[{"code":"DENIED","message":"pay first"}]}');
    const headers = { 'content-type': 'application/json' };
    scene.upstream = ({ method }) => (method === 'HEAD' ? { status: 405 } : { status: 403, headers, body });
    expect(errorsOf(await scene.ask(BY_TAG))).toEqual([{ code: 'DENIED', message: 'pay first' }]);
  });

  test.each([
    ['application/json', '{"errors":[{"code":"TOOMANYREQUESTS","message":"100 in 6 hours"}]}'],
    ['text/html', '<p>later</p>'],
  ])('a limit told as %s keeps its words, and when to come again', async (type, words) => {
    await using scene = await withManifest();
    const headers = { 'content-type': type, 'retry-after': '21600' };
    scene.upstream = () => ({ status: 429, headers, body: Buffer.from(words) });
    const blob = `/v2/library/app/blobs/${DIGEST}?ns=docker.io`;
    for (const target of [BY_TAG, BY_DIGEST, blob]) {
      const answer = await scene.ask(target);
      expect(answer).toMatchObject({ status: 429, headers });
      expect(answer.body.toString()).toBe(words);
    }
    expect(await scene.ask(BY_TAG, {}, 'HEAD')).toMatchObject({ status: 429, headers });
  });

  test('a limit that the token server sets is told as one', async () => {
    await using scene = await withManifest();
    const details = { status: 429, headers: { 'retry-after': '5' } };
    scene.upstream = () => new ShoalError('ERR_SOURCE_UNAVAILABLE', 'auth answered 429', { details });
    const answer = await scene.ask(BY_TAG);
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '5' } });
    expect(errorsOf(answer)).toMatchObject([{ code: 'TOOMANYREQUESTS' }]);
  });

  test('something far too long to be a manifest is none', async () => {
    await using scene = await withManifest();
    scene.deliver = async function* () {
      for (;;) yield Buffer.alloc(1024 * 1024);
    };
    expect((await scene.ask(BY_DIGEST)).status).toBe(503);
  });
});

describe('while the registry cannot be reached', () => {
  test('no tag is gone by unless that was asked for', async () => {
    await using scene = await withManifest();
    await scene.ask(BY_TAG);
    scene.cache.set(DIGEST, { content: MANIFEST, isPublic: true });
    scene.upstream = down;
    expect(await scene.ask(BY_TAG)).toMatchObject({ status: 503 });
    expect(await scene.ask(BY_DIGEST)).toMatchObject({ status: 200 });
  });

  test('the last answer is gone by for as long as was allowed, and says so', async () => {
    await using scene = await withManifest({ staleTagsMs: 60_000 });
    await scene.ask(BY_TAG);
    scene.cache.set(DIGEST, { content: MANIFEST, isPublic: true });
    scene.upstream = down;
    const answer = await scene.ask(BY_TAG);
    expect(answer).toMatchObject({ status: 200, body: MANIFEST, headers: { 'content-type': OCI } });
    expect(answer.headers['warning']).toMatch(/^299 - "the registry cannot be reached/);
    expect((await scene.ask(BY_TAG, {}, 'HEAD')).headers['content-length']).toBe(String(MANIFEST.length));
    expect(await scene.ask(BY_TAG.replace('latest', 'other'))).toMatchObject({ status: 503 });
  });

  test('a stale tag gives nobody what they were not let in to', async () => {
    await using scene = await withManifest({ staleTagsMs: 60_000, graceMs: 60_000 });
    await scene.ask(BY_TAG, { authorization: 'Bearer alice' });
    scene.cache.set(DIGEST, { content: MANIFEST });
    scene.upstream = down;
    expect(await scene.ask(BY_TAG, { authorization: 'Bearer alice' })).toMatchObject({ status: 200 });
    expect(await scene.ask(BY_TAG, { authorization: 'Bearer bob' })).toMatchObject({ status: 503 });
    scene.upstream = () => ({ status: 401 });
    expect(await scene.ask(BY_TAG, { authorization: 'Bearer alice' })).toMatchObject({ status: 401 });
  });
});
