import { writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, askPort, digestOf, errorsOf } from '../../proxy/mirror/scene.ts';
import { freePort } from '../../support/free-port.ts';
import { pushBlob } from '../../support/image.ts';
import { flagsFor, type MirrorHost, startMirror } from '../../support/mirror-host.ts';
import { ALICE, ANYBODY, BOB, type Registry, startRegistry } from '../../support/registry.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { tinyImage } from '../../support/tiny-image.ts';

/*
 * The pull part of the OCI distribution specification, asked of the mirror of a real host before Debian's
 * docker-registry.
 */

const MIB = 1024 * 1024;
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const IMAGE = tinyImage([3 * MIB, 200_000]);
const [LAYER] = IMAGE.layers.amd64;
const MANIFEST_DIGEST = IMAGE.manifests.amd64;
const NOWHERE = digestOf('nowhere');

/** Pushes the image with the tag `v1`, and its first platform with `one`. */
async function push(registry: Registry, repository: string): Promise<void> {
  await using dir = await tempDir();
  await registry.loading(async (url) => {
    for (const [digest, { bytes, mediaType }] of IMAGE.contents) {
      if (mediaType === INDEX || mediaType === MANIFEST) continue;
      const file = join(dir.path, 'blob');
      writeFileSync(file, bytes);
      await pushBlob(url, repository, { digest, bytes: bytes.length, file });
    }
    const put = async (reference: string, digest: string) => {
      const { bytes = Buffer.alloc(0), mediaType = '' } =
        [...IMAGE.contents].find(([key]) => key === digest)?.[1] ?? {};
      const target = `${url}/v2/${repository}/manifests/${reference}`;
      const answer = await fetch(target, {
        method: 'PUT',
        headers: { 'content-type': mediaType },
        body: bytes,
      });
      expect(answer.status).toBe(201);
    };
    await put('one', IMAGE.manifests.amd64);
    await put('two', IMAGE.manifests.arm64);
    await put('v1', IMAGE.index);
  });
}

const bytesOf = (digest: string | undefined): Buffer => {
  const found = [...IMAGE.contents].find(([key]) => key === digest)?.[1].bytes;
  if (found === undefined) throw new Error('no such content');
  return found;
};

describe('an open registry', () => {
  let registry: Registry;
  let mirror: MirrorHost;
  const at = (path: string) => `/v2/${path}${path.includes('?') ? '&' : '?'}ns=${registry.name}`;

  beforeAll(async () => {
    registry = await startRegistry();
    await push(registry, 'team/app');
    await push(registry, 'team/other');
    mirror = await startMirror(flagsFor(registry));
  });
  afterAll(async () => {
    await mirror[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  test('the mirror speaks version 2 of the protocol', async () => {
    const headers = { 'docker-distribution-api-version': 'registry/2.0' };
    expect(await mirror.ask(at(''))).toMatchObject({ status: 200, headers });
    // Where no registry is named it is the mirror's own to say, and it gives everybody a token.
    const refused = await mirror.ask('/v2/');
    expect(refused).toMatchObject({ status: 401, headers });
    const [, realm = ''] = /^Bearer realm="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '') ?? [];
    const { token } = (await (await fetch(realm)).json()) as { token: string };
    expect(await mirror.ask('/v2/', { authorization: `Bearer ${token}` })).toMatchObject({
      status: 200,
      headers,
    });
  });

  test.each([
    ['v1', INDEX, IMAGE.index],
    ['one', MANIFEST, MANIFEST_DIGEST],
    [IMAGE.index, INDEX, IMAGE.index],
    [MANIFEST_DIGEST, MANIFEST, MANIFEST_DIGEST],
  ])(
    'the manifest %s comes as the registry gives it, by GET and by HEAD',
    async (reference, type, digest) => {
      const headers = { accept: `${INDEX}, ${MANIFEST}` };
      const own = await askPort(registry.port, `/v2/team/app/manifests/${reference}`, headers);
      const answer = await mirror.ask(at(`team/app/manifests/${reference}`), headers);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(own.body);
      expect(digestOf(answer.body)).toBe(digest);
      const told = {
        'content-type': type,
        'content-length': String(own.body.length),
        'docker-content-digest': digest,
        'oci-namespace': registry.name,
      };
      expect(answer.headers).toMatchObject(told);
      const head = await mirror.ask(at(`team/app/manifests/${reference}`), headers, 'HEAD');
      expect(head).toMatchObject({ status: 200, headers: told });
      expect(head.body).toHaveLength(0);
    },
  );

  test('the registry may be named by the path, in both spellings, and by a header', async () => {
    const segment = registry.name.replace(':', '_');
    for (const name of [registry.name, segment]) {
      expect(await mirror.ask(`/v2/${name}/team/app/manifests/v1`)).toMatchObject({ status: 200 });
    }
    const header = { 'x-shoal-registry': registry.name };
    expect(await mirror.ask('/v2/team/app/manifests/v1', header)).toMatchObject({ status: 200 });
  });

  test('a blob comes whole, by HEAD without a body, and is read from the registry once', async () => {
    registry.front.reset();
    const target = at(`team/app/blobs/${LAYER}`);
    const head = await mirror.ask(target, {}, 'HEAD');
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': String(3 * MIB) } });
    expect(head.body).toHaveLength(0);
    for (const from of ['swarm', 'cache']) {
      const answer = await mirror.ask(target);
      expect(answer).toMatchObject({
        status: 200,
        whole: true,
        headers: {
          'content-length': String(3 * MIB),
          'docker-content-digest': LAYER,
          'accept-ranges': 'bytes',
          'x-shoal-from': from,
        },
      });
      expect(digestOf(answer.body)).toBe(LAYER);
    }
    // The same layer under another name is the same layer.
    const other = await mirror.ask(at(`team/other/blobs/${LAYER}`));
    expect(other).toMatchObject({ status: 200, headers: { 'x-shoal-from': 'cache' } });
    expect(registry.front.blobBytes()).toBe(3 * MIB);
  });

  test.each([
    'bytes=0-0',
    'bytes=100-199',
    'bytes=-100',
    'bytes=3145000-',
    'bytes=3145727-9999999',
    'bytes=3145728-',
    'bytes=-0',
  ])('the range %s is answered as HTTP says', async (range) => {
    const answer = await mirror.ask(at(`team/app/blobs/${LAYER}`), { range });
    const whole = bytesOf(LAYER);
    if (answer.status === 416) {
      expect(range).toBeOneOf(['bytes=3145728-', 'bytes=-0']);
      expect(answer.headers['content-range']).toBe(`bytes */${whole.length}`);
      return;
    }
    expect(answer.status).toBe(206);
    const [, first, last] = /^bytes (\d+)-(\d+)\/3145728$/.exec(answer.headers['content-range'] ?? '') ?? [];
    expect(answer.body).toEqual(whole.subarray(Number(first), Number(last) + 1));
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
  });

  test.each([
    ['team/app/manifests/unknown', 404, 'MANIFEST_UNKNOWN'],
    [`team/app/manifests/${NOWHERE}`, 404, 'MANIFEST_UNKNOWN'],
    ['team/unknown/manifests/v1', 404, 'MANIFEST_UNKNOWN'],
    [`team/app/blobs/${NOWHERE}`, 404, 'BLOB_UNKNOWN'],
    // It is here, and that repository does not have it.
    [`team/unknown/blobs/${LAYER}`, 404, 'BLOB_UNKNOWN'],
    ['team/unknown/tags/list', 404, 'NAME_UNKNOWN'],
    ['team/app/manifests/.INVALID_MANIFEST_NAME', 404, 'MANIFEST_UNKNOWN'],
    ['team/app/blobs/sha256:0', 404, 'BLOB_UNKNOWN'],
    ['Team/app/manifests/v1', 400, 'NAME_INVALID'],
  ])('%s is answered %i %s, with a body by GET and without one by HEAD', async (path, status, code) => {
    const answer = await mirror.ask(at(path));
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(errorsOf(answer)).toMatchObject([{ code, message: expect.any(String) }]);
    const head = await mirror.ask(at(path), {}, 'HEAD');
    expect(head.status).toBe(status);
    expect(head.body).toHaveLength(0);
  });

  test('tags are listed page by page', async () => {
    const all = JSON.parse((await mirror.ask(at('team/app/tags/list'))).body.toString()) as {
      tags: string[];
    };
    expect(all.tags.sort()).toEqual(['one', 'two', 'v1']);
    const names: string[] = [];
    let target: string | undefined = at('team/app/tags/list?n=2');
    for (let page = 0; target !== undefined && page < 5; page += 1) {
      const answer: Answer = await mirror.ask(target);
      names.push(...(JSON.parse(answer.body.toString()) as { tags: string[] }).tags);
      const { link } = answer.headers as { link?: string };
      target = /^<([^>]+)>/.exec(link ?? '')?.[1];
    }
    expect(names.sort()).toEqual(['one', 'two', 'v1']);
  });

  test('nothing is pushed through it', async () => {
    for (const [method, path] of [
      ['POST', 'team/app/blobs/uploads/'],
      ['PUT', 'team/app/manifests/v2'],
      ['DELETE', `team/app/manifests/${MANIFEST_DIGEST}`],
    ] as const) {
      expect(errorsOf(await mirror.ask(at(path), {}, method))).toMatchObject([{ code: 'UNSUPPORTED' }]);
    }
  });

  test('while the registry is away, what is here and public is given, and all else sends the client on', async () => {
    await mirror.ask(at(`team/app/blobs/${LAYER}`));
    await registry.front.stop();
    try {
      expect(await mirror.ask(at(`team/app/blobs/${LAYER}`))).toMatchObject({ status: 200 });
      expect(await mirror.ask(at(`team/app/manifests/${MANIFEST_DIGEST}`))).toMatchObject({ status: 200 });
      expect(await mirror.ask(at('team/app/manifests/v1'))).toMatchObject({ status: 503 });
      expect(errorsOf(await mirror.ask(at(`team/app/blobs/${IMAGE.layers.arm64[1]}`)))).toMatchObject([
        { code: 'UNAVAILABLE' },
      ]);
    } finally {
      await registry.front.start();
    }
  });
});

test('the first byte does not wait for the last', async () => {
  await using registry = await startRegistry({ bytesPerSec: 2 * MIB });
  await push(registry, 'team/app');
  await using mirror = await startMirror(flagsFor(registry));
  const started = performance.now();
  const url = `http://127.0.0.1:${mirror.port}/v2/team/app/blobs/${LAYER}?ns=${registry.name}`;
  const answer = await fetch(url);
  const reader = answer.body?.getReader();
  await reader?.read();
  const firstMs = performance.now() - started;
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read());
  const lastMs = performance.now() - started;
  expect(lastMs).toBeGreaterThan(1_000);
  expect(firstMs).toBeLessThan(lastMs / 2);
});

describe('credentials', () => {
  const basic = ({ user, password }: { user: string; password: string }) =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

  test('a registry behind basic authentication gives its content to those it lets in, cached or not', async () => {
    await using registry = await startRegistry({ auth: 'basic' });
    await push(registry, 'team/app');
    await using mirror = await startMirror(flagsFor(registry, { 'access-memory': 0 }));
    const targets = [`/v2/team/app/blobs/${LAYER}`, '/v2/team/app/manifests/v1', '/v2/'].map(
      (path) => `${path}?ns=${registry.name}`,
    );
    for (const cached of [false, true]) {
      for (const target of targets) {
        for (const wrong of [{}, { authorization: basic({ user: 'alice', password: 'guess' }) }]) {
          const refused = await mirror.ask(target, wrong);
          expect(refused.status, `${target}, cached: ${cached}`).toBe(401);
          expect(refused.headers['www-authenticate']).toMatch(/^Basic realm=/);
          expect(errorsOf(refused)).toMatchObject([{ code: 'UNAUTHORIZED' }]);
        }
        expect(await mirror.ask(target, { authorization: basic(ALICE) })).toMatchObject({ status: 200 });
      }
    }
    expect(registry.front.blobBytes()).toBeLessThan(3.1 * MIB);
  });

  test('a registry behind tokens: the client is sent to its token server, and access ends when it is withdrawn', async () => {
    await using registry = await startRegistry({ auth: 'token' });
    registry.grant(ALICE.user, 'team/app');
    registry.grant(ANYBODY, 'open/app');
    await push(registry, 'team/app');
    await push(registry, 'open/app');
    await using mirror = await startMirror(flagsFor(registry, { 'access-memory': 0, 'access-grace': 0 }));
    const blob = `/v2/team/app/blobs/${LAYER}?ns=${registry.name}`;
    const refused = await mirror.ask(blob);
    expect(refused.status).toBe(401);
    const token = async (login: { user: string; password: string } | undefined) => {
      const [, realm = '', service = ''] =
        /realm="([^"]+)",service="([^"]+)"/.exec(refused.headers['www-authenticate'] ?? '') ?? [];
      const url = `${realm}?service=${encodeURIComponent(service)}&scope=repository:team/app:pull`;
      const answer = await fetch(url, { headers: login ? { authorization: basic(login) } : {} });
      return `Bearer ${((await answer.json()) as { token: string }).token}`;
    };
    const alice = { authorization: await token(ALICE) };
    expect(await mirror.ask(blob, alice)).toMatchObject({ status: 200, whole: true });
    for (const headers of [{}, { authorization: await token(BOB) }, { authorization: 'Bearer nonsense' }]) {
      expect((await mirror.ask(blob, headers)).status).toBe(401);
    }
    // What anybody may read needs no token of the client, and opens nothing else.
    expect(await mirror.ask(blob.replace('team/app', 'open/app'))).toMatchObject({ status: 200 });
    expect((await mirror.ask(blob)).status).toBe(401);
    expect(await mirror.ask(blob, alice)).toMatchObject({ status: 200 });
    registry.withdraw(ALICE.user, 'team/app');
    expect((await mirror.ask(blob, alice)).status).toBe(401);
  });
});

describe('upstreams that are none', () => {
  async function serving(listener: RequestListener): Promise<{ port: number } & AsyncDisposable> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      port: (server.address() as AddressInfo).port,
      [Symbol.asyncDispose]: () =>
        new Promise((resolve) => {
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    };
  }

  test.each([
    '169.254.169.254',
    '127.0.0.1:1',
    'localhost',
    '[::1]:5000',
    '169.254.169.254:80',
    '0.0.0.0:80',
  ])('ns=%s leads to no address that is not named', async (name) => {
    await using mirror = await startMirror({ registry: [`${name}=http://${name}`] });
    for (const path of ['a/manifests/v1', `a/blobs/${LAYER}`, 'a/tags/list', '']) {
      const answer = await mirror.ask(`/v2/${path}?ns=${encodeURIComponent(name)}`);
      expect(answer.status, path).toBe(403);
      expect(errorsOf(answer)).toMatchObject([{ code: 'DENIED' }]);
    }
  });

  test('a registry that sends us to a metadata address is not followed', async () => {
    await using upstream = await serving((_request, response) => {
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
    });
    const name = `127.0.0.1:${upstream.port}`;
    await using mirror = await startMirror({ 'allow-origin': [name], registry: [`${name}=http://${name}`] });
    for (const path of ['a/manifests/v1', `a/manifests/${NOWHERE}`, `a/blobs/${LAYER}`, 'a/tags/list']) {
      expect((await mirror.ask(`/v2/${path}?ns=${name}`)).status, path).toBe(403);
    }
  });

  test('a registry that gives other bytes than the digest says is never passed off as it', async () => {
    await using upstream = await serving((request, response) => {
      response.writeHead(200, { 'content-length': 1_000, etag: '"x"' });
      response.end(request.method === 'HEAD' ? undefined : Buffer.alloc(1_000));
    });
    const name = `127.0.0.1:${upstream.port}`;
    await using mirror = await startMirror({ 'allow-origin': [name], registry: [`${name}=http://${name}`] });
    const answer = await mirror.ask(`/v2/a/blobs/${NOWHERE}?ns=${name}`);
    expect(answer.status === 200 && answer.whole).toBe(false);
  });

  test('a daemon that is its own upstream finds that out', async () => {
    const port = await freePort('127.0.0.1');
    const name = `127.0.0.1:${port}`;
    await using mirror = await startMirror({
      'proxy-port': port,
      'allow-origin': [name],
      registry: [`loop.example=http://${name}`],
      'default-registry': 'loop.example',
    });
    for (const path of ['a/manifests/v1', `a/blobs/${LAYER}`, 'a/tags/list']) {
      const answer = await mirror.ask(`/v2/${path}`);
      expect(answer.status, path).toBeGreaterThanOrEqual(500);
    }
  });
});

test('daemons before each other: the first is the other’s registry, and the registry is read once', async () => {
  await using registry = await startRegistry();
  await push(registry, 'team/app');
  await using inner = await startMirror(flagsFor(registry, { 'default-registry': registry.name }));
  const name = `127.0.0.1:${inner.port}`;
  await using outer = await startMirror({
    'allow-origin': [name],
    registry: [`${registry.name}=http://${name}`],
  });
  registry.front.reset();
  for (const path of [
    'team/app/manifests/v1',
    `team/app/manifests/${MANIFEST_DIGEST}`,
    `team/app/blobs/${LAYER}`,
  ]) {
    const answer = await outer.ask(`/v2/${path}?ns=${registry.name}`);
    expect(answer, path).toMatchObject({ status: 200, whole: true });
  }
  expect(registry.front.blobBytes()).toBe(3 * MIB);
  expect(registry.front.served.every(({ via }) => via?.match(/shoal-/g)?.length === 2)).toBe(true);
});
