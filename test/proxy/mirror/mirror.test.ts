import { describe, expect, test } from 'vitest';
import { connectRaw, say } from '../raw.ts';
import { digestOf, errorsOf, startScene } from './scene.ts';

const LAYER = Buffer.from('layer');
const MANIFEST = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}');
const DIGEST = digestOf(MANIFEST);

describe('the base of the protocol', () => {
  test('it is there, and sends those without credentials for a token of its own', async () => {
    for (const more of [{}, { defaultRegistry: 'r.example' }]) {
      await using scene = await startScene(more);
      for (const [target, method] of [
        ['/v2/', 'GET'],
        ['/v2/', 'HEAD'],
        ['/v2', 'GET'],
      ] as const) {
        expect(await scene.ask(target, {}, method)).toMatchObject({
          status: 401,
          headers: {
            'docker-distribution-api-version': 'registry/2.0',
            'www-authenticate': expect.stringMatching(/^Bearer realm=/),
          },
        });
        const shown = await scene.ask(target, { authorization: 'Basic x' }, method);
        expect(shown).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
      }
      expect(scene.asked).toEqual([]);
    }
  });

  test('with a registry named beside the path, that one says whether credentials are needed', async () => {
    await using scene = await startScene({ defaultRegistry: 'r.example' });
    const challenge = 'Basic realm="r"';
    scene.upstream = () => ({ status: 401, headers: { 'www-authenticate': challenge } });
    for (const [target, headers] of [
      ['/v2/?ns=q.example', {}],
      ['/v2/', { 'x-shoal-registry': 'q.example' }],
    ] as const) {
      expect(await scene.ask(target, headers)).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': challenge },
      });
    }
    scene.upstream = ({ authorization }) => ({ status: authorization === 'Basic x' ? 200 : 401 });
    expect(await scene.ask('/v2/?ns=q.example', { authorization: 'Basic x' })).toMatchObject({ status: 200 });
    expect(scene.asked.at(-1)).toMatchObject({ base: 'https://q.example', path: '/v2/', method: 'GET' });
  });
});

test('which registry is not said: the client is told how to', async () => {
  await using scene = await startScene();
  const answer = await scene.ask(`/v2/library/app/manifests/latest`);
  expect(answer.status).toBe(404);
  expect(errorsOf(answer)).toMatchObject([
    { code: 'NAME_UNKNOWN', message: expect.stringContaining('?ns=') },
  ]);
});

test('a registry is read where it was configured to be', async () => {
  await using scene = await startScene({ registries: { 'registry.lab:5000': 'http://10.0.0.5:5000' } });
  await scene.ask('/v2/registry.lab_5000/a/tags/list');
  await scene.ask('/v2/a/tags/list', { 'x-shoal-registry': 'Registry.Lab:5000' });
  expect(scene.asked).toMatchObject([
    { base: 'http://10.0.0.5:5000', path: '/v2/a/tags/list' },
    { base: 'http://10.0.0.5:5000', path: '/v2/a/tags/list' },
  ]);
});

test('with a default registry a repository called as a host with a port is asked for there alone', async () => {
  await using scene = await startScene({
    defaultRegistry: 'docker.io',
    registries: { 'registry:5000': 'http://10.0.0.5:5000' },
  });
  const link = '</v2/a/tags/list?last=x>; rel="next"';
  scene.upstream = () => ({ headers: { link } });
  await scene.ask('/v2/user_1/app/tags/list', { authorization: 'Basic x' });
  const named = await scene.ask('/v2/registry_5000/a/tags/list');
  expect(scene.asked).toMatchObject([
    { base: 'https://registry-1.docker.io', path: '/v2/user_1/app/tags/list' },
    { base: 'http://10.0.0.5:5000', path: '/v2/a/tags/list' },
  ]);
  expect(named.headers['link']).toBe('</v2/registry:5000/a/tags/list?last=x>; rel="next"');
});

describe('lists', () => {
  const body = Buffer.from('{"name":"a","tags":["x"]}');

  test.each([
    ['/v2/r.example/a/tags/list?n=1', '</v2/r.example/a/tags/list?last=x&n=1>; rel="next"'],
    ['/v2/a/tags/list?n=1&ns=r.example', '</v2/a/tags/list?last=x&n=1&ns=r.example>; rel="next"'],
  ])('%s passes through, and its next page is one of this mirror', async (target, link) => {
    await using scene = await startScene();
    const headers = { 'content-type': 'application/json', link: '</v2/a/tags/list?last=x&n=1>; rel="next"' };
    scene.upstream = () => ({ headers, body });
    expect(await scene.ask(target)).toMatchObject({ status: 200, body, headers: { link } });
    expect(scene.asked).toMatchObject([{ path: '/v2/a/tags/list?n=1', method: 'GET' }]);
  });

  test.each([
    '<https://elsewhere.example/x>; rel="next"',
    '<//elsewhere.example/v2x>; rel="next"',
    '</v2/a\r\nx: y>; rel="next"',
    'nonsense',
  ])('a link of %j leads nowhere', async (link) => {
    await using scene = await startScene();
    scene.upstream = () => ({ headers: { link }, body });
    const answer = await scene.ask('/v2/r.example/a/tags/list');
    expect(answer.headers['link']).toBeUndefined();
  });

  test('referrers pass through, with the filters that were applied', async () => {
    await using scene = await startScene();
    const headers = {
      'content-type': 'application/vnd.oci.image.index.v1+json',
      'oci-filters-applied': 'artifactType',
    };
    scene.upstream = () => ({ headers, body });
    const target = `/v2/r.example/a/referrers/${DIGEST}?artifactType=x`;
    expect(await scene.ask(target)).toMatchObject({ status: 200, body, headers });
  });

  test.each([
    [404, {}, ''],
    [404, { 'content-type': 'text/plain; charset=utf-8' }, '404 page not found\n'],
    [404, { 'content-type': 'application/json' }, '{"errors":[{"code":"NOT_FOUND"}]}'],
    [401, { 'www-authenticate': 'Basic realm="r"', 'content-type': 'application/json' }, '{"errors":[]}'],
    [429, { 'retry-after': '17', 'content-type': 'text/plain' }, 'slowly'],
  ])('a %d of %j is passed on as it is', async (status, headers, words) => {
    await using scene = await startScene();
    scene.upstream = () => ({ status, headers, body: Buffer.from(words) });
    for (const target of [`/v2/a/referrers/${DIGEST}?ns=r.example`, '/v2/a/tags/list?ns=r.example']) {
      const answer = await scene.ask(target);
      expect(answer).toMatchObject({ status, headers });
      expect(answer.body.toString()).toBe(words);
    }
  });
});

describe('requests that are none of a pull', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is not done here', async (method) => {
    await using scene = await startScene();
    const answer = await scene.ask('/v2/r.example/a/blobs/uploads/', {}, method);
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(errorsOf(answer)).toMatchObject([{ code: 'UNSUPPORTED' }]);
  });

  test('a body that is uploaded all the same is not read, nor taken for the next request', async () => {
    await using scene = await startScene();
    const inner = 'GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n';
    for (const head of [
      `PUT /v2/a/manifests/x HTTP/1.1\r\nhost: a\r\ncontent-length: ${inner.length}\r\n\r\n`,
      `GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: ${inner.length}\r\n\r\n`,
    ]) {
      const answer = await say(scene.port, head + inner);
      expect(answer).toMatch(/^HTTP\/1\.1 40[05] /);
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    }
    await using chunked = await connectRaw(scene.port);
    chunked.send('GET /v2/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n');
    expect(await chunked.closed).toMatch(/^HTTP\/1\.1 400 /);
  });

  test.each([
    ['/v2/../../etc/passwd', 404],
    [`/v2/a/..%2f..%2fb/blobs/${DIGEST}`, 400],
    ['/v2/a/manifests/%2e%2e', 404],
    ['/v2/a/manifests/.hidden', 404],
    [`/v2/a/blobs/md5:${'a'.repeat(32)}`, 400],
    ['/v2/_catalog', 404],
  ])('%s is refused without asking anybody', async (target, status) => {
    await using scene = await startScene({ defaultRegistry: 'r.example' });
    expect((await scene.ask(target)).status).toBe(status);
    expect(scene.asked).toEqual([]);
  });
});

test('a pull is told as one, with what came from where, and counted', async () => {
  await using scene = await startScene();
  scene.swarm.set(DIGEST, MANIFEST);
  scene.cache.set(digestOf(LAYER), { content: LAYER });
  scene.upstream = ({ path }) =>
    path.includes('manifests')
      ? { headers: { 'docker-content-digest': DIGEST, 'content-length': String(MANIFEST.length) } }
      : {};
  const repository = '/v2/r.example/team/app';
  await scene.ask(`${repository}/manifests/v1`, {}, 'HEAD');
  await scene.ask(`${repository}/manifests/${DIGEST}`);
  await scene.ask(`${repository}/blobs/${digestOf(LAYER)}`);
  await scene.ask('/v2/r.example/team/app/tags/list');
  await expect.poll(() => scene.counted).toHaveLength(4);
  scene.endPulls();
  expect(scene.pulled).toMatchObject([
    {
      client: '127.0.0.1',
      registry: 'r.example',
      repository: 'team/app',
      digest: DIGEST,
      blobs: 1,
      bytes: { origin: 0, peers: MANIFEST.length, local: LAYER.length },
      sentBytes: MANIFEST.length + LAYER.length,
      outcome: 'complete',
    },
  ]);
  expect(scene.pulled[0]?.reference).toBe('v1');
  expect(scene.counted).toEqual([
    ['manifest', 200],
    ['manifest', 200],
    ['blob', 200],
    ['tags', 200],
  ]);
});
