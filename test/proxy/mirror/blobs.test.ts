import { request as httpRequest } from 'node:http';
import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import { digestOf, errorsOf, HOST, OTHER, type Scene, startScene } from './scene.ts';

const CONTENT = Buffer.from('0123456789'.repeat(100));
const DIGEST = digestOf(CONTENT);
const BLOB = `/v2/library/app/blobs/${DIGEST}?ns=docker.io`;

async function withBlob(more: Parameters<typeof startScene>[0] = {}): Promise<Scene> {
  const scene = await startScene(more);
  scene.swarm.set(DIGEST, CONTENT);
  scene.upstream = () => ({ headers: { 'content-length': String(CONTENT.length) } });
  return scene;
}

test('a blob comes whole, with what the specification asks for', async () => {
  await using scene = await withBlob();
  const answer = await scene.ask(BLOB, { authorization: 'Bearer t' });
  expect(answer).toMatchObject({
    status: 200,
    body: CONTENT,
    whole: true,
    headers: {
      'content-length': '1000',
      'content-type': 'application/octet-stream',
      'docker-content-digest': DIGEST,
      'docker-distribution-api-version': 'registry/2.0',
      'accept-ranges': 'bytes',
      etag: `"${DIGEST}"`,
      'oci-namespace': 'docker.io',
      'x-shoal-from': 'swarm',
      'x-shoal-task': DIGEST.replace(':', '-'),
    },
  });
  expect(scene.asked).toMatchObject([
    {
      base: 'https://registry-1.docker.io',
      method: 'HEAD',
      path: `/v2/library/app/blobs/${DIGEST}`,
      authorization: 'Bearer t',
      headers: { via: `1.1 shoal-${HOST}` },
    },
  ]);
  expect(scene.streamed).toMatchObject([
    {
      resource: `https://registry-1.docker.io/v2/library/app/blobs/${DIGEST}`,
      digest: DIGEST,
      headers: { authorization: 'Bearer t' },
    },
  ]);
});

test('HEAD tells the same of it without a body, and starts no download', async () => {
  await using scene = await withBlob();
  const answer = await scene.ask(BLOB, {}, 'HEAD');
  expect(answer).toMatchObject({
    status: 200,
    headers: { 'content-length': '1000', 'docker-content-digest': DIGEST, etag: `"${DIGEST}"` },
  });
  expect(answer.body).toHaveLength(0);
  scene.cache.set(DIGEST, { content: CONTENT });
  scene.upstream = () => ({});
  expect((await scene.ask(BLOB, {}, 'HEAD')).headers).toMatchObject({
    'content-length': '1000',
    'x-shoal-from': 'cache',
  });
  expect(scene.streamed).toEqual([]);
});

test('a registry without HEAD is asked for the first byte', async () => {
  await using scene = await withBlob();
  scene.upstream = ({ method, headers }) =>
    method === 'HEAD'
      ? { status: 405 }
      : headers?.['range'] === 'bytes=0-0'
        ? { status: 206, headers: { 'content-range': 'bytes 0-0/1000' } }
        : { status: 500 };
  expect((await scene.ask(BLOB, {}, 'HEAD')).headers['content-length']).toBe('1000');
});

test.each([400, 401, 403, 404])(
  'a storage that answers HEAD with %i is asked for the first byte, once what is here was proven long ago',
  async (status) => {
    await using scene = await withBlob();
    scene.cache.set(DIGEST, { content: CONTENT });
    scene.upstream = ({ method, headers }) =>
      method === 'HEAD'
        ? { status }
        : { status: headers?.['range'] === 'bytes=0-0' ? 206 : 500, body: CONTENT.subarray(0, 1) };
    expect(await scene.ask(BLOB)).toMatchObject({ status: 200, body: CONTENT });
    expect(scene.asked.map(({ method }) => method)).toEqual(['HEAD', 'GET']);
  },
);

test('whom GET is refused too is told so in its words; a challenge is not asked for twice', async () => {
  await using scene = await withBlob();
  scene.cache.set(DIGEST, { content: CONTENT });
  const body = Buffer.from('{"errors":[{"code":"DENIED","message":"signed for another"}]}');
  const headers = { 'content-type': 'application/json' };
  scene.upstream = ({ method }) => ({ status: 403, headers, ...(method === 'GET' && { body }) });
  expect(await scene.ask(BLOB)).toMatchObject({ status: 403, body });
  scene.upstream = () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } });
  expect((await scene.ask(BLOB)).status).toBe(401);
  expect(scene.asked.map(({ method }) => method)).toEqual(['HEAD', 'GET', 'HEAD']);
});

describe('ranges', () => {
  test.each([
    ['bytes=0-', 206, 'bytes 0-999/1000'],
    ['bytes=10-19', 206, 'bytes 10-19/1000'],
    ['bytes=990-5000', 206, 'bytes 990-999/1000'],
    ['bytes=-5', 206, 'bytes 995-999/1000'],
    ['bytes=1000-', 416, 'bytes */1000'],
    ['bytes=-0', 416, 'bytes */1000'],
    ['bytes=5-1', 200, undefined],
    ['bytes=0-1,4-5', 200, undefined],
    ['lines=1-2', 200, undefined],
    ['bytes=', 200, undefined],
  ])('%s is answered %i', async (range, status, contentRange) => {
    await using scene = await withBlob();
    const answer = await scene.ask(BLOB, { range });
    expect(answer).toMatchObject({ status, whole: true });
    expect(answer.headers['content-range']).toBe(contentRange);
    if (status === 200) expect(answer.body).toEqual(CONTENT);
    const [, first, last] = /(\d+)-(\d+)/.exec(contentRange ?? '') ?? [];
    if (status === 206) expect(answer.body).toEqual(CONTENT.subarray(Number(first), Number(last) + 1));
  });

  test('a range of another version is the whole', async () => {
    await using scene = await withBlob();
    const range = 'bytes=1-2';
    expect((await scene.ask(BLOB, { range, 'if-range': `"${DIGEST}"` })).status).toBe(206);
    expect((await scene.ask(BLOB, { range, 'if-range': '"another"' })).status).toBe(200);
  });
});

test('what the client has already is not sent again, once it has proven that it may have it', async () => {
  await using scene = await withBlob();
  const known = { 'if-none-match': `W/"x", "${DIGEST}"` };
  expect(await scene.ask(BLOB, known)).toMatchObject({ status: 304, headers: { etag: `"${DIGEST}"` } });
  scene.upstream = () => ({ status: 403 });
  expect((await scene.ask(BLOB, known)).status).toBe(403);
});

test('an empty blob is one', async () => {
  await using scene = await startScene();
  const digest = digestOf('', 'sha512');
  scene.swarm.set(digest, new Uint8Array());
  scene.upstream = () => ({ headers: { 'content-length': '0' } });
  expect(await scene.ask(`/v2/app/blobs/${digest}?ns=r.example`)).toMatchObject({
    status: 200,
    whole: true,
    headers: { 'content-length': '0', 'docker-content-digest': digest },
  });
});

describe('what the upstream refuses is refused, cached or not', () => {
  test.each([
    [401, 401, 'UNAUTHORIZED'],
    [403, 403, 'DENIED'],
    [404, 404, 'BLOB_UNKNOWN'],
    [400, 400, 'UNKNOWN'],
    [429, 429, 'TOOMANYREQUESTS'],
    [500, 503, 'UNAVAILABLE'],
    [503, 503, 'UNAVAILABLE'],
  ])('%i is told as %i %s', async (upstream, status, code) => {
    await using scene = await withBlob();
    scene.cache.set(DIGEST, { content: CONTENT });
    const challenge =
      'Bearer realm="https://auth.example/token",service="r",scope="repository:library/app:pull"';
    scene.upstream = () => ({ status: upstream, headers: { 'www-authenticate': challenge } });
    const answer = await scene.ask(BLOB);
    expect(answer.status).toBe(status);
    expect(errorsOf(answer)).toMatchObject([{ code }]);
    expect(answer.headers['www-authenticate']).toBe(status < 500 ? challenge : undefined);
    const head = await scene.ask(BLOB, {}, 'HEAD');
    expect(head.status).toBe(status);
    expect(head.body).toHaveLength(0);
  });

  test('an upstream that cannot be reached sends the client to the next host, at once', async () => {
    await using scene = await withBlob();
    scene.upstream = () => new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no route');
    expect(errorsOf(await scene.ask(BLOB))).toMatchObject([{ code: 'UNAVAILABLE' }]);
  });

  test('what was public is given while the upstream cannot be reached', async () => {
    await using scene = await withBlob();
    scene.cache.set(DIGEST, { content: CONTENT, isPublic: true });
    scene.upstream = () => new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no route');
    expect(await scene.ask(BLOB)).toMatchObject({ status: 200, body: CONTENT });
    expect((await scene.ask(BLOB, {}, 'HEAD')).headers['content-length']).toBe('1000');
  });

  test('an address that may not be read is refused', async () => {
    await using scene = await withBlob();
    scene.upstream = () => new ShoalError('ERR_SOURCE_ADDRESS_REFUSED', 'a metadata address');
    expect(await scene.ask(BLOB.replace('docker.io', '169.254.169.254'))).toMatchObject({ status: 403 });
  });
});

describe('when content does not come', () => {
  const slow = (first: number) =>
    async function* (content: Uint8Array, signal: AbortSignal) {
      if (first > 0) yield content.subarray(0, first);
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    };

  test('before the first byte the client is sent to the next host', async () => {
    await using scene = await withBlob({ limits: { firstByteMs: 50 } });
    scene.deliver = slow(0);
    expect(await scene.ask(BLOB)).toMatchObject({ status: 503, whole: true });
  });

  test('while the host is busy with other contents it is waited for, and no longer', async () => {
    const busy = () => {
      let received = 0;
      return () => {
        received += 1;
        return received;
      };
    };
    await using waiting = await withBlob({ limits: { firstByteMs: 30, busyMs: 600_000 } });
    waiting.received = busy();
    waiting.deliver = async function* (content) {
      await new Promise((resolve) => setTimeout(resolve, 90));
      yield content;
    };
    expect(await waiting.ask(BLOB)).toMatchObject({ status: 200, whole: true });
    await using scene = await withBlob({ limits: { firstByteMs: 30, busyMs: 90 } });
    scene.received = busy();
    scene.deliver = slow(0);
    expect(await scene.ask(BLOB)).toMatchObject({ status: 503, whole: true });
  });

  test('after it the connection is cut, so that the client goes on by range', async () => {
    await using scene = await withBlob({ limits: { stallMs: 50 } });
    scene.deliver = slow(10);
    const answer = await scene.ask(BLOB);
    expect(answer).toMatchObject({ status: 200, whole: false });
    expect(answer.body).toEqual(CONTENT.subarray(0, 10));
    await using other = await withBlob();
    const rest = await other.ask(BLOB, { range: 'bytes=10-' });
    expect(Buffer.concat([answer.body, rest.body])).toEqual(CONTENT);
  });

  test.each([
    [0, true],
    [10, false],
  ])('an error after %i bytes is never a short body', async (first, whole) => {
    await using scene = await withBlob();
    scene.deliver = async function* (content) {
      if (first > 0) yield content.subarray(0, first);
      throw new ShoalError('ERR_SOURCE_UNAVAILABLE', 'cut');
    };
    const answer = await scene.ask(BLOB);
    expect(answer.whole).toBe(whole);
    if (whole) expect(answer.status).toBe(503);
  });

  test.each([
    ['less', 500],
    ['more', 1500],
  ])('%s than was promised cuts the connection', async (_name, length) => {
    await using scene = await withBlob();
    scene.deliver = async function* () {
      yield Buffer.alloc(length);
    };
    expect((await scene.ask(BLOB)).whole).toBe(false);
  });

  test('a client that goes away ends the download it asked for', async () => {
    await using scene = await withBlob();
    let ended = false;
    scene.deliver = async function* (content, signal) {
      yield content.subarray(0, 10);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      ended = true;
    };
    const request = httpRequest({ host: '127.0.0.1', port: scene.port, path: BLOB, agent: false });
    request.on('error', () => undefined);
    request.on('response', (response) => {
      response.on('error', () => undefined);
      response.once('data', () => request.destroy());
    });
    request.end();
    await expect.poll(() => ended).toBe(true);
    await expect.poll(() => scene.counted).toEqual([['blob', 200]]);
  });

  test('a client that reads slowly is waited for', async () => {
    await using scene = await withBlob({ limits: { stallMs: 100 } });
    let asked = 0;
    scene.swarm.set(DIGEST, Buffer.alloc(64 * 1024 * 1024));
    scene.deliver = async function* (content) {
      for (let at = 0; at < content.length; at += 1024 * 1024) {
        asked += 1;
        yield content.subarray(at, at + 1024 * 1024);
      }
    };
    const options = { host: '127.0.0.1', port: scene.port, path: BLOB, agent: false };
    const request = httpRequest(options).end();
    const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
      request.once('response', resolve),
    );
    response.pause();
    await expect.poll(() => asked).toBeGreaterThan(2);
    let before = 0;
    await expect
      .poll(
        () => {
          const still = asked === before;
          before = asked;
          return still;
        },
        { interval: 300 },
      )
      .toBe(true);
    expect(asked).toBeLessThan(40);
    let bytes = 0;
    for await (const part of response) bytes += (part as Buffer).length;
    expect(bytes).toBe(64 * 1024 * 1024);
  });

  test('beyond the bound of contents at once, clients go elsewhere', async () => {
    await using scene = await withBlob({ limits: { streams: 0 } });
    expect(errorsOf(await scene.ask(BLOB))).toMatchObject([{ code: 'UNAVAILABLE' }]);
  });
});

describe('another daemon asks', () => {
  const via = `1.1 shoal-${OTHER}`;

  test('what is here whole is given from the cache, without the origin', async () => {
    await using scene = await withBlob();
    scene.cache.set(DIGEST, { content: CONTENT });
    expect(await scene.ask(BLOB, { via })).toMatchObject({
      status: 200,
      headers: { 'x-shoal-from': 'cache' },
    });
    expect(scene.streamed).toMatchObject([{ noOrigin: true }]);
    expect(scene.asked[0]?.headers?.['via']).toBe(`${via}, 1.1 shoal-${HOST}`);
  });

  test('all else comes straight from the upstream, by range too', async () => {
    await using scene = await withBlob();
    expect(await scene.ask(BLOB, { via, range: 'bytes=5-9' })).toMatchObject({
      status: 206,
      body: CONTENT.subarray(5, 10),
      headers: { 'x-shoal-from': 'upstream', 'content-range': 'bytes 5-9/1000' },
    });
    expect(await scene.ask(BLOB, { via, range: 'bytes=1000-' })).toMatchObject({ status: 416 });
    expect(scene.streamed).toEqual([]);
  });

  test('a request that comes back here is a loop', async () => {
    await using scene = await withBlob();
    expect(await scene.ask(BLOB, { via: `${via}, 1.1 shoal-${HOST}` })).toMatchObject({ status: 508 });
    expect(scene.asked).toEqual([]);
  });
});

test('the length of what another registry gave is told to nobody whom only this one lets in', async () => {
  const scene = await startScene();
  await using _ = scene;
  const content = Buffer.from('a secret');
  const digest = digestOf(content);
  scene.upstream = () => ({ headers: { 'content-length': '1' } });
  const lengths: (string | undefined)[] = [];
  for (const row of [
    { home: 'https://other.example' },
    { home: 'https://r.example' },
    { home: 'https://other.example', isPublic: true },
  ]) {
    scene.cache.set(digest, { content, ...row });
    const { headers } = await scene.ask(`/v2/app/blobs/${digest}?ns=r.example`, {}, 'HEAD');
    lengths.push(headers['content-length']);
  }
  expect(lengths).toEqual(['1', '8', '8']);
});
