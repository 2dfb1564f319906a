import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { ask, failure, file, gather, never, serve, type TestServer, testOrigin } from './support.ts';

const content = randomBytes(1_000_000);
const origin = testOrigin();
/** Takes an origin that pauses for stalled. */
const impatient = testOrigin({ limits: { stallMs: 500 } });
const servers: TestServer[] = [];
const expectV1 = { etag: '"v1"', length: content.length };

async function started(...args: Parameters<typeof serve>): Promise<TestServer> {
  const server = await serve(...args);
  servers.push(server);
  return server;
}

async function read(
  url: string,
  start: number,
  end: number,
  expected: { etag?: string; lastModified?: string; length: number | undefined } = expectV1,
  reader = origin,
) {
  const body = gather();
  await reader.read({ ...ask(url), range: { start, end }, expect: expected }, body.sink, never);
  return body.bytes;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('a read', () => {
  test('brings exactly its range', async () => {
    const server = await started(file(content));
    expect((await read(server.url, 1000, 900_000)).equals(content.subarray(1000, 900_000))).toBe(true);
    expect((await read(server.url, 999_999, 1_000_000)).equals(content.subarray(999_999))).toBe(true);
    expect(server.requests[0]?.headers.range).toBe('bytes=1000-899999');
  });

  test('goes on from the last byte after each cut, however many there are', async () => {
    const server = await started((request, response) => {
      const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1]);
      response.writeHead(206, {
        etag: '"v1"',
        'content-range': `bytes ${start}-999999/1000000`,
        'content-length': 1_000_000 - start,
      });
      response.write(content.subarray(start, start + 100_000), () => {
        if (start + 100_000 < 1_000_000) setImmediate(() => request.socket.destroy());
      });
    });
    const bytes = await read(server.url, 0, 1_000_000);
    expect(bytes.equals(content)).toBe(true);
    expect(server.requests.length).toBeGreaterThanOrEqual(10);
  });

  test('gets its range from an origin that answers the whole to an ETag in If-Range', async () => {
    const good = file(content);
    const server = await started((request, response, seen) => {
      if (request.headers['if-range'] !== undefined) delete request.headers.range;
      good(request, response, seen);
    });
    expect((await read(server.url, 1000, 2000)).equals(content.subarray(1000, 2000))).toBe(true);
    expect(server.requests.map(({ headers }) => headers.range)).toEqual(['bytes=1000-1999']);
  });

  test('goes on after a stall in mid-body', async () => {
    const good = file(content);
    const server = await started((request, response, seen) => {
      if (seen > 1) return good(request, response, seen);
      response.writeHead(206, {
        etag: '"v1"',
        'content-range': 'bytes 0-999999/1000000',
        'content-length': 1_000_000,
      });
      response.write(content.subarray(0, 200_000));
    });
    expect((await read(server.url, 0, 1_000_000, expectV1, impatient)).equals(content)).toBe(true);
  });

  test('goes on where the origin gives less than was asked', async () => {
    const server = await started((request, response) => {
      const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1]);
      const end = Math.min(start + 300_000, 1_000_000);
      response.writeHead(206, { etag: '"v1"', 'content-range': `bytes ${start}-${end - 1}/1000000` });
      response.end(content.subarray(start, end));
    });
    expect((await read(server.url, 0, 1_000_000)).equals(content)).toBe(true);
    expect(server.requests).toHaveLength(4);
  });

  test('gives up on an origin that only ever cuts', async () => {
    const server = await started((request, response) => {
      response.writeHead(206, {
        etag: '"v1"',
        'content-range': 'bytes 0-999999/1000000',
        'content-length': 1_000_000,
      });
      response.flushHeaders();
      setImmediate(() => request.socket.destroy());
    });
    expect(await failure(read(server.url, 0, 1_000_000))).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
    expect(server.requests).toHaveLength(5);
  });

  test.each([
    ['another ETag', { etag: '"v2"', 'content-range': 'bytes 0-999999/1000000' }],
    ['no ETag', { 'content-range': 'bytes 0-999999/1000000' }],
    ['a weak ETag', { etag: 'W/"v1"', 'content-range': 'bytes 0-999999/1000000' }],
    ['another length', { etag: '"v1"', 'content-range': 'bytes 0-999999/1000001' }],
    ['no length', { etag: '"v1"', 'content-range': 'bytes 0-999999/*' }],
  ])('takes a 206 with %s for changed content and passes nothing on', async (_name, headers) => {
    const server = await started((_request, response) => {
      response.writeHead(206, headers as Record<string, string>).end(content);
    });
    const body = gather();
    const work = origin.read(
      { ...ask(server.url), range: { start: 0, end: 1_000_000 }, expect: expectV1 },
      body.sink,
      never,
    );
    expect(await failure(work)).toMatchObject({ code: 'ERR_TASK_CHANGED' });
    expect(body.bytes).toHaveLength(0);
    expect(server.requests).toHaveLength(1);
  });

  test('notices that content was replaced between a cut and going on', async () => {
    const replaced = file(randomBytes(1_000_000), '"v2"');
    const server = await started((request, response, seen) => {
      if (seen > 1) return replaced(request, response, seen);
      response.writeHead(206, {
        etag: '"v1"',
        'content-range': 'bytes 0-999999/1000000',
        'content-length': 1_000_000,
      });
      response.write(content.subarray(0, 100_000), () => setImmediate(() => request.socket.destroy()));
    });
    const body = gather();
    const work = origin.read(
      { ...ask(server.url), range: { start: 0, end: 1_000_000 }, expect: expectV1 },
      body.sink,
      never,
    );
    expect(await failure(work)).toMatchObject({ code: 'ERR_TASK_CHANGED' });
    expect(body.bytes.equals(content.subarray(0, body.bytes.length))).toBe(true);
  });

  test('takes content that became shorter for changed', async () => {
    const server = await started(file(content.subarray(0, 10)));
    expect(await failure(read(server.url, 500_000, 1_000_000))).toMatchObject({ code: 'ERR_TASK_CHANGED' });
  });

  test('compares Last-Modified where there is no strong ETag', async () => {
    const server = await started(
      file(content, undefined, { 'last-modified': 'Tue, 24 Nov 2026 10:00:00 GMT' }),
    );
    const same = { lastModified: 'Tue, 24 Nov 2026 10:00:00 GMT', length: content.length };
    expect((await read(server.url, 5, 500, same)).equals(content.subarray(5, 500))).toBe(true);
    const other = { lastModified: 'Tue, 24 Nov 2026 10:00:01 GMT', length: content.length };
    expect(await failure(read(server.url, 5, 500, other))).toMatchObject({ code: 'ERR_TASK_CHANGED' });
  });

  test('refuses a 206 of another range', async () => {
    const server = await started((_request, response) => {
      response.writeHead(206, { etag: '"v1"', 'content-range': 'bytes 0-999999/1000000' }).end(content);
    });
    expect(await failure(read(server.url, 10, 1000))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
  });

  test('refuses a chunked 206 with more bytes than its range, and retries one with fewer', async () => {
    const long = await started((_request, response) => {
      response.writeHead(206, { etag: '"v1"', 'content-range': 'bytes 0-99/1000000' });
      response.write(content.subarray(0, 100));
      response.end(content.subarray(100, 200));
    });
    expect(await failure(read(long.url, 0, 100))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
    const good = file(content);
    const short = await started((request, response, seen) => {
      if (seen > 1) return good(request, response, seen);
      response.writeHead(206, { etag: '"v1"', 'content-range': 'bytes 0-99/1000000' });
      response.end(content.subarray(0, 50));
    });
    expect((await read(short.url, 0, 100)).equals(content.subarray(0, 100))).toBe(true);
    expect(short.requests[1]?.headers.range).toBe('bytes=50-99');
  });

  test('takes the whole in place of a range from the start, and stops where its range ends', async () => {
    const server = await started((_request, response) => {
      response.writeHead(200, { etag: '"v1"', 'content-length': content.length }).end(content);
    });
    expect((await read(server.url, 0, 1_000_000)).equals(content)).toBe(true);
    expect((await read(server.url, 0, 4000)).equals(content.subarray(0, 4000))).toBe(true);
    expect((await read(server.url, 70_000, 80_000)).equals(content.subarray(70_000, 80_000))).toBe(true);
  });

  test('does not put two streams without a strong validator together', async () => {
    const server = await started((request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 100_000), () => setImmediate(() => request.socket.destroy()));
    });
    const loose = { length: content.length };
    expect(await failure(read(server.url, 0, 1_000_000, loose))).toMatchObject({
      code: 'ERR_SOURCE_PROTOCOL',
      details: { reason: 'no-ranges' },
    });
    expect(await failure(read(server.url, 10, 20, loose))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
  });

  test('without an end reads to the end of the stream', async () => {
    const server = await started((_request, response) => {
      response.writeHead(200);
      response.write(content.subarray(0, 10));
      response.end(content.subarray(10));
    });
    const bytes = await read(server.url, 0, Number.MAX_SAFE_INTEGER, { length: undefined });
    expect(bytes.equals(content)).toBe(true);
    expect(server.requests[0]?.headers.range).toBeUndefined();
  });

  test('of nothing asks nobody', async () => {
    const server = await started(file(content));
    expect(await read(server.url, 7, 7)).toHaveLength(0);
    expect(server.requests).toHaveLength(0);
  });

  test('gives a 404 on at once, and what its sink throws', async () => {
    const server = await started((_request, response) => {
      response.writeHead(404).end();
    });
    expect(await failure(read(server.url, 0, 10))).toMatchObject({ code: 'ERR_SOURCE_NOT_FOUND' });
    const good = await started(file(content));
    const work = origin.read(
      { ...ask(good.url), range: { start: 0, end: 10 }, expect: expectV1 },
      async () => {
        throw new RangeError('full');
      },
      never,
    );
    await expect(work).rejects.toThrow(new RangeError('full'));
    expect(good.requests).toHaveLength(1);
  });

  test('that is cancelled stops the origin', async () => {
    const server = await started((_request, response) => {
      response.writeHead(206, {
        etag: '"v1"',
        'content-range': 'bytes 0-999999/1000000',
        'content-length': 1_000_000,
      });
      response.write(content.subarray(0, 1000));
    });
    const controller = new AbortController();
    const reason = new Error('enough');
    const work = origin.read(
      { ...ask(server.url), range: { start: 0, end: 1_000_000 }, expect: expectV1 },
      () => controller.abort(reason),
      controller.signal,
    );
    await expect(work).rejects.toBe(reason);
    await expect.poll(() => server.running).toBe(0);
  });
});
