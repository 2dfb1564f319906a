import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseRange } from '../../../core/ranges.ts';
import { raw, serve, startProxy, statusOf, type TestProxy, type TestServer } from './support.ts';

const CONTENT = randomBytes(3 * 1024 * 1024 + 17);
const HEX = createHash('sha256').update(CONTENT).digest('hex');
let proxy: TestProxy;
let server: TestServer;
/** Body bytes the origin sent. */
let sent = 0;
/** What the next requests are answered, in place of content. */
let odd: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;

beforeEach(async () => {
  sent = 0;
  odd = undefined;
  proxy = await startProxy({ prefixOrigins: ['127.0.0.1'], limits: { stallMs: 1_500 } });
  server = await serve((request, response) => {
    if (odd?.(request, response)) return;
    const range = parseRange(request.headers.range, CONTENT.length);
    const headers = {
      etag: '"v1"',
      'content-type': 'application/x-thing',
      'last-modified': new Date(0).toUTCString(),
    };
    if (request.headers['if-none-match'] === '"v1"') return void response.writeHead(304, headers).end();
    if (range === 'unsatisfiable') {
      return void response.writeHead(416, { 'content-range': `bytes */${CONTENT.length}` }).end();
    }
    const { start, end } = range === 'whole' ? { start: 0, end: CONTENT.length } : range;
    const partial =
      range === 'whole' ? {} : { 'content-range': `bytes ${start}-${end - 1}/${CONTENT.length}` };
    response.writeHead(range === 'whole' ? 200 : 206, {
      ...headers,
      ...partial,
      'content-length': end - start,
    });
    if (request.method === 'HEAD') return void response.end();
    sent += end - start;
    response.end(CONTENT.subarray(start, end));
  });
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function ask(target: string, headers = '', method = 'GET') {
  const answer = Buffer.from(
    await raw(
      proxy.port,
      `${method} ${target} HTTP/1.1\r\nHost: ${server.host}\r\n${headers}Connection: close\r\n\r\n`,
    ),
    'latin1',
  );
  const split = answer.indexOf('\r\n\r\n');
  const head = answer.subarray(0, split).toString('latin1');
  const header = (name: string) => new RegExp(`^${name}: (.*)\\r?$`, 'im').exec(head)?.[1]?.trim();
  return { status: statusOf(head), head, header, body: answer.subarray(split + 4) };
}
const url = (path: string) => `http://${server.host}${path}`;

describe('a request that the rules send through the swarm', () => {
  test('gives the bytes and the headers of the origin, and the second time no byte of it is read', async () => {
    const first = await ask(url('/a.iso'));
    expect(first.status).toBe(200);
    expect(first.body.equals(CONTENT)).toBe(true);
    expect(first.header('content-type')).toBe('application/x-thing');
    expect(first.header('etag')).toBe('"v1"');
    expect(first.header('content-length')).toBe(String(CONTENT.length));
    expect(first.header('x-shoal-from')).toBe('swarm');
    expect(first.header('x-shoal-task')).toMatch(/^url-[0-9a-f]{64}$/);
    expect(sent).toBe(CONTENT.length);
    const second = await ask(url('/a.iso'));
    expect(second.body.equals(CONTENT)).toBe(true);
    expect(second.header('x-shoal-from')).toBe('cache');
    expect(sent).toBeLessThanOrEqual(CONTENT.length + 1024 * 1024);
    await expect.poll(() => proxy.log.length).toBe(2);
    expect(proxy.log[0]).toMatchObject({
      route: 'forward',
      status: 200,
      bytes: CONTENT.length,
      origin: CONTENT.length,
    });
  });

  test.each([
    ['bytes=0-99', 0, 100],
    ['bytes=1000000-2999999', 1_000_000, 3_000_000],
    ['bytes=3145700-', 3_145_700, CONTENT.length],
    ['bytes=-17', CONTENT.length - 17, CONTENT.length],
    ['bytes=3145700-99999999', 3_145_700, CONTENT.length],
  ])('answers %s with these bytes', async (range, start, end) => {
    const { status, body, header } = await ask(url('/a.iso'), `Range: ${range}\r\n`);
    expect(status).toBe(206);
    expect(header('content-range')).toBe(`bytes ${start}-${end - 1}/${CONTENT.length}`);
    expect(body.equals(CONTENT.subarray(start, end))).toBe(true);
    expect(header('x-shoal-from')).toBe('swarm');
  });

  test('gives encoded bytes as they were sent, with their Content-Encoding, and ranges of them', async () => {
    odd = (_request, response) => {
      response.setHeader('content-encoding', 'gzip');
      return false;
    };
    for (const from of ['swarm', 'cache']) {
      const got = await ask(url('/a.tar.gz'), 'Accept-Encoding: gzip\r\n');
      expect([got.header('x-shoal-from'), got.header('content-encoding')]).toEqual([from, 'gzip']);
      expect(got.body.equals(CONTENT)).toBe(true);
    }
    const part = await ask(url('/a.tar.gz'), 'Range: bytes=5-9\r\n');
    expect([part.status, part.header('content-encoding')]).toEqual([206, 'gzip']);
    expect(part.body.equals(CONTENT.subarray(5, 10))).toBe(true);
  });

  test('without bytes is answered as the origin answers it', async () => {
    odd = (_request, response) => {
      response.writeHead(204, { 'x-own': 'yes' }).end();
      return true;
    };
    const got = await ask(url('/none.iso'));
    expect([got.status, got.header('x-own')]).toEqual([204, 'yes']);
  });

  test.each([
    ['a weak ETag', { etag: 'W/"1"' }],
    ['a Last-Modified', { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }],
    ['no validator', {}],
  ])('comes whole from an origin that gives ranges and has %s', async (_, validator) => {
    odd = (request, response) => {
      const range = parseRange(request.headers.range, CONTENT.length);
      const { start, end } =
        typeof range === 'string'
          ? { start: 0, end: CONTENT.length }
          : { start: range.start, end: range.end };
      response.writeHead(range === 'whole' ? 200 : 206, {
        ...validator,
        'content-length': end - start,
        ...(range !== 'whole' && { 'content-range': `bytes ${start}-${end - 1}/${CONTENT.length}` }),
      });
      response.end(CONTENT.subarray(start, end));
      return true;
    };
    const got = await ask(url('/a.iso'));
    expect([got.status, got.header('x-shoal-from')]).toEqual([200, 'swarm']);
    expect(got.body.equals(CONTENT)).toBe(true);
  });

  test('answers a range beyond the end with 416', async () => {
    const { status, header } = await ask(url('/a.iso'), 'Range: bytes=99999999-\r\n');
    expect(status).toBe(416);
    expect(header('content-range')).toBe(`bytes */${CONTENT.length}`);
  });

  test.each([
    ['a condition', 'If-None-Match: "v1"\r\n', 304],
    ['a range on a condition', 'Range: bytes=0-9\r\nIf-Range: "v0"\r\n', 206],
    ['several ranges', 'Range: bytes=0-9,20-29\r\n', 200],
    ['another form', 'Accept: text/html\r\n', 200],
    ['a request of another daemon', 'Via: 1.1 shoal-00000000000000000000000000000000\r\n', 200],
  ])('is left to the origin where it comes with %s', async (_name, headers, status) => {
    const answer = await ask(url('/a.iso'), headers);
    expect(answer.status).toBe(status);
    expect(answer.header('x-shoal-from')).toBe('direct');
  });

  test('comes with what the origin refuses it with, as it is', async () => {
    odd = (_request, response) => {
      response.writeHead(451, { 'x-why': 'because', 'content-length': 19 }).end('no, and this is why');
      return true;
    };
    const { status, header, body } = await ask(url('/a.iso'));
    expect([status, header('x-why'), body.toString()]).toEqual([451, 'because', 'no, and this is why']);
  });

  test('content asked with credentials is given to those whose credentials the origin lets in, and to nobody else', async () => {
    odd = (request, response) => {
      if (request.headers.authorization === 'Bearer good' || request.headers['x-api-key'] === 'good')
        return false;
      response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('who are you');
      return true;
    };
    const good = await ask(url('/private.iso'), 'Authorization: Bearer good\r\n');
    expect([good.status, good.header('x-shoal-from')]).toEqual([200, 'swarm']);
    expect((await ask(url('/private.iso'))).status).toBe(401);
    expect((await ask(url('/private.iso'), 'Authorization: Bearer bad\r\n')).status).toBe(401);
    expect((await ask(url('/private.iso'), 'Cookie: a=b\r\n')).status).toBe(401);
    const again = await ask(url('/private.iso'), 'Authorization: Bearer good\r\n');
    expect([again.status, again.header('x-shoal-from')]).toEqual([200, 'cache']);
    const key = await ask(url('/private.iso'), 'X-Api-Key: good\r\n');
    expect(key.status).toBe(200);
    expect(key.body.equals(CONTENT)).toBe(true);
  });

  test('a proxy password is no credential of the origin, and never comes to it', async () => {
    await ask(url('/a.iso'), 'Proxy-Authorization: Basic c2VjcmV0\r\n');
    const answer = await ask(url('/a.iso'), 'Proxy-Authorization: Basic c2VjcmV0\r\n');
    expect(answer.header('x-shoal-from')).toBe('cache');
    expect(server.requests.some(({ rawHeaders }) => rawHeaders.join().includes('c2VjcmV0'))).toBe(false);
  });

  test.each(['X-Amz-Signature', 'Key-Pair-Id=K&Expires=7&Signature'])(
    'a URL signed by %s is a credential: one that the origin refuses gets nothing from the cache',
    async (query) => {
      odd = (request, response) => {
        if (request.url?.includes('Signature=good')) return false;
        response.writeHead(403).end('signature');
        return true;
      };
      const good = await ask(url(`/signed.iso?${query}=good1`));
      expect([good.status, good.header('x-shoal-from')]).toEqual([200, 'swarm']);
      expect((await ask(url(`/signed.iso?${query}=bad`))).status).toBe(403);
      expect((await ask(url('/signed.iso'))).status).toBe(403);
      const before = sent;
      const again = await ask(url(`/signed.iso?${query}=good2`));
      expect([again.status, again.header('x-shoal-from')]).toEqual([200, 'cache']);
      expect(again.body.equals(CONTENT)).toBe(true);
      expect(sent - before).toBeLessThan(CONTENT.length);
    },
  );

  test('the name that a client gives its request is no credential', async () => {
    for (const [name, from] of [
      ['one', 'swarm'],
      ['two', 'cache'],
    ]) {
      const answer = await ask(url('/a.iso'), `X-Amzn-Trace-Id: ${name}\r\nX-Request-Id: ${name}\r\n`);
      expect(answer.header('x-shoal-from')).toBe(from);
    }
    expect(sent).toBeLessThan(1.02 * CONTENT.length);
  });

  test('query parameters that a rule filters do not name content', async () => {
    const rules = [{ path: '^/files/', use: 'swarm', filteredQuery: ['session'] }] as const;
    await using own = await startProxy({ rules });
    const task = async (target: string) => {
      const answer = await raw(
        own.port,
        `GET ${url(target)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      return /^x-shoal-task: (\S+)/im.exec(answer)?.[1];
    };
    const one = await task('/files/a?session=1&v=2');
    expect(one).toMatch(/^url-/);
    expect(await task('/files/a?v=2&session=2')).toBe(one);
    expect(server.requests.at(-1)?.url).toContain('session=2');
    expect(await task('/files/a?v=3&session=2')).not.toBe(one);
  });

  test('a blob under its digest is one task whatever the repository, and its own source lets the client in', async () => {
    odd = (request, response) => {
      if (!request.url?.startsWith('/v2/closed/')) return false;
      response.writeHead(403).end();
      return true;
    };
    const first = await ask(url(`/v2/one/blobs/sha256:${HEX}`));
    expect([first.status, first.header('x-shoal-task')]).toEqual([200, `sha256-${HEX}`]);
    const before = sent;
    const second = await ask(url(`/v2/two/blobs/sha256:${HEX}`));
    expect([second.status, second.header('x-shoal-from')]).toEqual([200, 'cache']);
    expect(second.body.equals(CONTENT)).toBe(true);
    expect(sent - before).toBeLessThan(10_000);
    expect((await ask(url(`/v2/closed/blobs/sha256:${HEX}`))).status).toBe(403);
  });

  test('an origin that gives the wrong bytes for a digest ends in a cut, never in a whole answer', async () => {
    const { body } = await ask(url(`/v2/one/blobs/sha256:${'0'.repeat(64)}`));
    expect(body.length).toBeLessThan(CONTENT.length);
  });

  test.each([
    ['that passes does no harm', 3],
    ['that stays cuts the client', Number.POSITIVE_INFINITY],
  ])('a cut in the middle %s', async (_name, most) => {
    let cuts = 0;
    odd = (request, response) => {
      const range = parseRange(request.headers.range, CONTENT.length);
      const start = typeof range === 'object' ? range.start : 0;
      if (start < 1024 * 1024 || cuts >= most) return false;
      cuts += 1;
      const contentRange = `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}`;
      response.writeHead(206, { etag: '"v1"', 'content-range': contentRange });
      response.write(CONTENT.subarray(start, start + 100), () => response.destroy());
      return true;
    };
    const { status, body } = await ask(url('/a.iso'));
    expect(status).toBe(200);
    expect(body.equals(CONTENT.subarray(0, body.length))).toBe(true);
    expect(body.length === CONTENT.length).toBe(most === 3);
    odd = undefined;
    expect((await ask(url('/a.iso'))).body.equals(CONTENT)).toBe(true);
  });
});

describe('the prefix form', () => {
  const prefixed = (path: string) => `/blobs/${url(path)}`;

  test('gives ranges, the length, and the whole, through the swarm', async () => {
    const head = await ask(prefixed('/layer?x=1'), '', 'HEAD');
    expect([
      head.status,
      head.header('content-length'),
      head.header('accept-ranges'),
      head.body.length,
    ]).toEqual([200, String(CONTENT.length), 'bytes', 0]);
    const part = await ask(prefixed('/layer?x=1'), 'Range: bytes=2000000-2000999\r\n');
    expect(part.status).toBe(206);
    expect(part.body.equals(CONTENT.subarray(2_000_000, 2_001_000))).toBe(true);
    expect((await ask(prefixed('/layer?x=1'), 'Range: bytes=9999999-\r\n')).status).toBe(416);
    const whole = await ask(prefixed('/layer?x=1'));
    expect(whole.body.equals(CONTENT)).toBe(true);
    expect(sent).toBeLessThanOrEqual(CONTENT.length + 3 * 1024 * 1024);
  });

  test('reads nothing but the origins that are named', async () => {
    const refused = await ask(`/blobs/http://localhost:${server.port}/x`);
    expect(refused.status).toBe(403);
    expect(refused.body.toString()).toContain('prefix-origin');
    await using none = await startProxy();
    const answer = await raw(
      none.port,
      `GET ${prefixed('/x')} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(403);
    expect(answer).toContain('no origin is open to /blobs/');
  });

  test.each([
    ['/blobs/', 400],
    ['/blobs/ftp://127.0.0.1/x', 400],
    ['/blobs/../v2/', 400],
    ['/blobs/http://user@127.0.0.1/x', 400],
    ['/blobs/http://127.0.0.1:1/x', 502],
  ])('answers %s with %i', async (target, status) => {
    expect((await ask(target)).status).toBe(status);
  });

  test('takes GET and HEAD alone', async () => {
    expect((await ask(prefixed('/x'), 'Content-Length: 0\r\n', 'POST')).status).toBe(405);
  });
});
