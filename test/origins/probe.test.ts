import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { ask, failure, file, gather, never, serve, type TestServer, testOrigin } from './support.ts';

const content = randomBytes(300_000);
const PREFIX = 128 * 1024;
const origin = testOrigin();
/** Takes an origin that pauses for stalled. */
const impatient = testOrigin({ limits: { stallMs: 1_000 } });
const servers: TestServer[] = [];

async function started(...args: Parameters<typeof serve>): Promise<TestServer> {
  const server = await serve(...args);
  servers.push(server);
  return server;
}

async function probed(
  url: string,
  headers: Record<string, string> = {},
  known?: { etag?: string; lastModified?: string },
  reader = origin,
) {
  const answer = await reader.probe({ ...ask(url, headers), prefixBytes: PREFIX, known }, never);
  if (answer.kind !== 'content') return { kind: answer.kind, bytes: Buffer.alloc(0) } as const;
  const { sink, ...gathered } = gather();
  const body = gather();
  const count = await answer.body.pump(body.sink, never);
  void sink;
  void gathered;
  expect(count).toBe(body.bytes.length);
  return {
    kind: answer.kind,
    probed: answer.probed,
    start: answer.body.start,
    end: answer.body.end,
    bytes: body.bytes,
  } as const;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('a probe', () => {
  test('reads the first bytes and learns length, validator and type', async () => {
    const server = await started(
      file(content, '"v1"', {
        'content-type': 'text/x-test',
        'last-modified': 'Tue, 24 Nov 2026 10:00:00 GMT',
      }),
    );
    const answer = await probed(`${server.url}/a`);
    expect(answer).toMatchObject({
      start: 0,
      end: PREFIX,
      probed: {
        length: 300_000,
        etag: '"v1"',
        ranges: true,
        audience: 'public',
        mediaType: 'text/x-test',
        lastModified: 'Tue, 24 Nov 2026 10:00:00 GMT',
      },
    });
    expect(answer.bytes.equals(content.subarray(0, PREFIX))).toBe(true);
    expect(server.requests[0]?.headers).toMatchObject({
      range: `bytes=0-${PREFIX - 1}`,
      'accept-encoding': 'identity',
    });
  });

  test('of content smaller than the prefix reads all of it', async () => {
    const server = await started(file(content.subarray(0, 10)));
    expect(await probed(server.url)).toMatchObject({ end: 10, probed: { length: 10, ranges: true } });
  });

  test('for all of it asks without an end', async () => {
    const server = await started(file(content));
    const answer = await origin.probe({ ...ask(server.url), prefixBytes: Number.MAX_SAFE_INTEGER }, never);
    if (answer.kind !== 'content') throw new Error('no content');
    expect(answer).toMatchObject({ body: { end: content.length }, probed: { ranges: true } });
    expect(await answer.body.pump(() => {}, never)).toBe(content.length);
    expect(server.requests[0]?.headers.range).toBe('bytes=0-');
  });

  test('hears that content is unchanged', async () => {
    const server = await started(file(content));
    expect(await probed(server.url, {}, { etag: '"v1"' })).toMatchObject({ kind: 'unchanged' });
    expect(await probed(server.url, {}, { etag: '"v0"' })).toMatchObject({ kind: 'content' });
    const dated = await started((request, response) => {
      response
        .writeHead(request.headers['if-modified-since'] === 'Tue, 24 Nov 2026 10:00:00 GMT' ? 304 : 500)
        .end();
    });
    expect(await probed(dated.url, {}, { lastModified: 'Tue, 24 Nov 2026 10:00:00 GMT' })).toMatchObject({
      kind: 'unchanged',
    });
  });

  test('takes the whole as one stream where there are no ranges', async () => {
    const server = await started((_request, response) => {
      response.writeHead(200, { 'content-length': content.length, etag: '"v1"' }).end(content);
    });
    const answer = await probed(server.url);
    expect(answer).toMatchObject({
      start: 0,
      end: content.length,
      probed: { length: content.length, ranges: false, etag: '"v1"' },
    });
    expect(answer.bytes.equals(content)).toBe(true);
  });

  test('takes a chunked stream whose length is unknown', async () => {
    const server = await started((_request, response) => {
      response.writeHead(200);
      response.write(content.subarray(0, 1000));
      response.end(content.subarray(1000));
    });
    const answer = await probed(server.url);
    expect(answer.probed?.length).toBeUndefined();
    expect(answer.end).toBeUndefined();
    expect(answer.bytes.equals(content)).toBe(true);
  });

  test('takes no weak ETag for a validator', async () => {
    const server = await started(file(content, 'W/"v1"'));
    const answer = await probed(server.url);
    expect(answer.probed).toMatchObject({ ranges: true });
    expect(answer.probed?.etag).toBeUndefined();
  });

  test('of an empty file finds content of length 0', async () => {
    const answering416 = await started(file(Buffer.alloc(0)));
    expect(await probed(answering416.url)).toMatchObject({ end: 0, probed: { length: 0, etag: '"v1"' } });
    const answering200 = await started((_request, response) => {
      response.writeHead(200, { 'content-length': 0 }).end();
    });
    expect(await probed(answering200.url)).toMatchObject({ end: 0, probed: { length: 0 } });
    const bare416 = await started((request, response) => {
      response.writeHead(request.headers.range === undefined ? 200 : 416, { 'content-length': 0 }).end();
    });
    expect(await probed(bare416.url)).toMatchObject({ probed: { length: 0 } });
  });

  test('asks again for the whole where a range does not tell the length', async () => {
    const server = await started((request, response) => {
      if (request.headers.range !== undefined) {
        response
          .writeHead(206, { 'content-range': 'bytes 0-99/*', 'content-length': 100 })
          .end(content.subarray(0, 100));
      } else response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    expect(await probed(server.url)).toMatchObject({ probed: { length: content.length, ranges: false } });
  });

  test('takes a 204 for content of length 0, as curl does', async () => {
    const server = await started((_request, response) => {
      response.writeHead(204).end();
    });
    expect(await probed(server.url)).toMatchObject({ end: 0, probed: { length: 0, ranges: false } });
  });

  test('takes bytes that are encoded all the same as they are sent, as curl does, and tells how', async () => {
    for (const encoding of ['gzip', 'aws-chunked', 'UTF-8']) {
      const server = await started(file(content, '"v1"', { 'content-encoding': encoding }));
      const answer = await probed(server.url);
      expect(answer).toMatchObject({ end: PREFIX, probed: { length: content.length, encoding } });
      expect(answer.bytes.equals(content.subarray(0, PREFIX))).toBe(true);
      expect(server.requests[0]?.headers['accept-encoding']).toBe('identity');
    }
    const plain = await started(file(content, '"v1"', { 'content-encoding': 'identity' }));
    expect((await probed(plain.url)).probed?.encoding).toBeUndefined();
    const endless = await started(file(content, '"v1"', { 'content-encoding': 'x'.repeat(65) }));
    expect(await failure(probed(endless.url))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
  });

  test('for all of it takes no part for an answer', async () => {
    const server = await started((request, response) => {
      if (request.headers.range !== undefined) {
        response
          .writeHead(206, { 'content-range': 'bytes 0-99/300000', 'content-length': 100 })
          .end(content.subarray(0, 100));
      } else response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    const answer = await origin.probe({ ...ask(server.url), prefixBytes: Number.MAX_SAFE_INTEGER }, never);
    expect(answer).toMatchObject({ body: { start: 0, end: content.length }, probed: { ranges: false } });
    if (answer.kind === 'content') answer.body.discard();
  });

  test.each([
    ['another start', { 'content-range': 'bytes 1-100/300000', 'content-length': '100' }],
    ['no range at all', { 'content-length': '100' }],
    ['an end beyond the length', { 'content-range': 'bytes 0-99/50', 'content-length': '100' }],
    ['more than was asked', { 'content-range': 'bytes 0-299999/300000', 'content-length': '300000' }],
    ['a length that contradicts the range', { 'content-range': 'bytes 0-99/300000', 'content-length': '90' }],
  ])('refuses a 206 with %s', async (_name, headers) => {
    const server = await started((_request, response) => {
      response.writeHead(206, headers).end(content.subarray(0, Number(headers['content-length'])));
    });
    expect(await failure(probed(server.url))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
    expect(server.requests).toHaveLength(1);
  });

  test.each([304, 300, 302])('refuses a %i that answers nothing', async (status) => {
    const server = await started((_request, response) => {
      response.writeHead(status).end();
    });
    expect(await failure(probed(server.url))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
  });

  test.each([
    [400, 'ERR_SOURCE_STATUS'],
    [401, 'ERR_SOURCE_REFUSED'],
    [403, 'ERR_SOURCE_REFUSED'],
    [404, 'ERR_SOURCE_NOT_FOUND'],
    [410, 'ERR_SOURCE_NOT_FOUND'],
    [418, 'ERR_SOURCE_STATUS'],
    [451, 'ERR_SOURCE_REFUSED'],
  ])('gives a %i on as it is, at once', async (status, code) => {
    const server = await started((_request, response) => {
      response
        .writeHead(status, { 'www-authenticate': 'Bearer realm="x"', 'set-cookie': 'secret=1' })
        .end('no');
    });
    const error = await failure(probed(server.url));
    expect(error).toMatchObject({
      code,
      details: { status, headers: { 'www-authenticate': 'Bearer realm="x"' } },
    });
    expect(JSON.stringify(error.details)).not.toContain('secret');
    expect(server.requests).toHaveLength(1);
  });

  test('tries a 503, a 429 and a cut connection again until it is answered', async () => {
    const good = file(content);
    const server = await started((request, response, seen) => {
      if (seen === 1) response.writeHead(503).end();
      else if (seen === 2) response.writeHead(429, { 'retry-after': '0' }).end();
      else if (seen === 3) request.socket.destroy();
      else good(request, response, seen);
    });
    expect(await probed(server.url)).toMatchObject({ probed: { length: content.length } });
    expect(server.requests).toHaveLength(4);
  });

  test('gives up on 5xx when the budget is spent, with the status', async () => {
    const server = await started((_request, response) => {
      response.writeHead(502, { 'x-why': 'broken' }).end();
    });
    expect(await failure(probed(server.url))).toMatchObject({
      code: 'ERR_SOURCE_UNAVAILABLE',
      details: { status: 502, headers: { 'x-why': 'broken' } },
    });
    expect(server.requests).toHaveLength(5);
  });

  test('does not wait for a Retry-After beyond the budget', async () => {
    const server = await started((_request, response) => {
      response.writeHead(429, { 'retry-after': '3600' }).end();
    });
    expect(await failure(probed(server.url))).toMatchObject({
      code: 'ERR_SOURCE_UNAVAILABLE',
      details: { status: 429 },
    });
    expect(server.requests).toHaveLength(1);
  });

  test('counts an origin that says nothing as cut', async () => {
    const server = await started((_request, response, seen) => {
      if (seen > 1) response.writeHead(404).end();
    });
    expect(await failure(probed(server.url, {}, undefined, impatient))).toMatchObject({
      code: 'ERR_SOURCE_NOT_FOUND',
    });
    expect(server.requests).toHaveLength(2);
  });

  test('of a closed port, or a name that does not exist, is unavailable', async () => {
    const server = await serve(() => {});
    await server.close();
    expect(await failure(probed(server.url))).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
    expect(await failure(probed('http://no-such-host.invalid/'))).toMatchObject({
      code: 'ERR_SOURCE_UNAVAILABLE',
    });
  });

  test('of a server that speaks something else is a protocol error', async () => {
    const { createServer } = await import('node:net');
    const raw = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('220 smtp.example ESMTP\r\n'));
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    const { port } = raw.address() as { port: number };
    expect(await failure(probed(`http://127.0.0.1:${port}/`))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
    raw.close();
  });

  test('makes no public content of what was asked with credentials', async () => {
    const server = await started(file(content));
    for (const headers of [{ Authorization: 'Bearer t' }, { Cookie: 'a=b' }, { 'X-Token': 't' }]) {
      expect((await probed(server.url, headers as unknown as Record<string, string>)).probed?.audience).toBe(
        'source',
      );
    }
    expect((await probed(server.url, { Accept: 'text/plain' })).probed?.audience).toBe('public');
    expect((await probed(`${server.url}/?X-Amz-Signature=abc`)).probed?.audience).toBe('source');
  });

  test('lets no header of the caller change what is asked', async () => {
    const server = await started(file(content));
    await probed(server.url, {
      Range: 'bytes=5-6',
      Host: 'evil',
      'Accept-Encoding': 'gzip',
      'If-Range': 'x',
      'X-Ok': '1',
    });
    expect(server.requests[0]?.headers).toMatchObject({
      range: `bytes=0-${PREFIX - 1}`,
      host: `127.0.0.1:${server.port}`,
      'accept-encoding': 'identity',
      'x-ok': '1',
    });
    expect(server.requests[0]?.headers['if-range']).toBeUndefined();
  });

  test('that is cancelled ends at once, before and after the headers', async () => {
    const server = await started((_request, response, seen) => {
      if (seen > 1) response.writeHead(200).write('x');
    });
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = origin.probe({ ...ask(server.url), prefixBytes: 10 }, controller.signal);
    await expect.poll(() => server.requests.length).toBe(1);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const second = new AbortController();
    const answer = await origin.probe({ ...ask(server.url), prefixBytes: 10 }, second.signal);
    if (answer.kind !== 'content') throw new Error('no content');
    const pumping = answer.body.pump(() => second.abort(reason), second.signal);
    await expect(pumping).rejects.toBe(reason);
    await expect.poll(() => server.running).toBe(0);
  });

  test('whose body is discarded closes the connection', async () => {
    let sent = 0;
    const server = await started((_request, response) => {
      response.writeHead(200, { 'content-length': 1 << 30 });
      const push = () => {
        while (!response.destroyed && response.write(content)) sent += content.length;
      };
      response.on('drain', push);
      push();
    });
    const answer = await origin.probe({ ...ask(server.url), prefixBytes: 10 }, never);
    if (answer.kind !== 'content') throw new Error('no content');
    answer.body.discard();
    await expect.poll(() => server.running).toBe(0);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  test('whose body is cut, or shorter than it said, fails', async () => {
    const server = await started((_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => response.destroy());
    });
    expect(await failure(probed(server.url))).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
    const chunked = await started((_request, response) => {
      response.writeHead(200);
      response.write(content.subarray(0, 1000), () => response.destroy());
    });
    expect(await failure(probed(chunked.url))).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
  });

  test('holds the origin back while the sink is busy', async () => {
    const server = await started(file(randomBytes(2_000_000)));
    const answer = await origin.probe({ ...ask(server.url), prefixBytes: 2_000_000 }, never);
    if (answer.kind !== 'content') throw new Error('no content');
    let running = 0;
    let most = 0;
    const total = await answer.body.pump(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    }, never);
    expect(total).toBe(2_000_000);
    expect(most).toBe(1);
  });

  test('passes on what its sink throws', async () => {
    const server = await started(file(content));
    for (const sink of [
      () => {
        throw new RangeError('full');
      },
      async () => {
        throw new RangeError('full');
      },
    ]) {
      const answer = await origin.probe({ ...ask(server.url), prefixBytes: PREFIX }, never);
      if (answer.kind !== 'content') throw new Error('no content');
      await expect(answer.body.pump(sink, never)).rejects.toThrow(new RangeError('full'));
    }
  });
});

test('a sink that answers at once with a promise is given every byte, and no chunk without bytes', async () => {
  const server = await started(file(content, '"v1"'));
  const answer = await origin.probe({ ...ask(server.url), prefixBytes: content.length }, never);
  if (answer.kind !== 'content') throw new Error('no content');
  const chunks: number[] = [];
  await answer.body.pump(async (chunk) => void chunks.push(chunk.length), never);
  expect(chunks.reduce((sum, bytes) => sum + bytes, 0)).toBe(content.length);
  expect(chunks).not.toContain(0);
});
