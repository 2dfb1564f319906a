import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw, serve, startProxy, statusOf, type TestProxy, type TestServer } from './support.ts';

let proxy: TestProxy;
let server: TestServer;

beforeAll(async () => {
  proxy = await startProxy();
  server = await serve((request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/echo')) {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.stringify({
          method: request.method,
          url: path,
          headers: request.rawHeaders,
          body: Buffer.concat(chunks).toString(),
        });
        response.writeHead(200, 'Fine Indeed', [
          'Content-Type',
          'application/json',
          'Set-Cookie',
          'a=1',
          'Set-Cookie',
          'b=2',
        ]);
        response.end(body);
      });
    } else if (path === '/cut') {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('some', () => response.destroy());
    } else if (path === '/gone') {
      response.destroy();
    } else if (path === '/teapot') {
      response
        .writeHead(418, { connection: 'x-private', 'x-private': 'yes', 'x-public': 'yes' })
        .end('short and stout');
    } else if (path === '/hang') {
      // Says nothing.
    } else response.writeHead(404).end('nothing');
  });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const get = (path: string, headers = '') =>
  raw(
    proxy.port,
    `GET http://${server.host}${path} HTTP/1.1\r\nHost: ${server.host}\r\n${headers}Connection: close\r\n\r\n`,
  );
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4);
const echoed = (answer: string) => {
  const text = bodyOf(answer);
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
};

describe('a request that goes direct', () => {
  test('comes to its origin as it was, without what was for the proxy, and with a Via', async () => {
    const answer = await get(
      '/echo/a%2Fb/../c?q=%20x&y',
      'X-One: 1\r\nX-Own: 2\r\nProxy-Authorization: Basic abc\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nKeep-Alive: 5\r\nAuthorization: Bearer t\r\nVia: 1.0 before\r\nConnection: X-Own\r\n',
    );
    expect(answer).toContain('HTTP/1.1 200 Fine Indeed');
    const { url, headers, method } = echoed(answer);
    expect([method, url]).toEqual(['GET', '/echo/a%2Fb/../c?q=%20x&y']);
    const names = headers
      .filter((_: string, index: number) => index % 2 === 0)
      .map((name: string) => name.toLowerCase());
    expect(names.sort()).toEqual(['authorization', 'connection', 'host', 'via', 'x-one']);
    expect(headers).toContain(`1.0 before, 1.1 shoal-${proxy.hostId}`);
    expect(answer.match(/Set-Cookie/g)).toHaveLength(2);
    expect(answer).toContain(`Via: 1.1 shoal-${proxy.hostId}`);
    expect(answer).toContain('X-Shoal-From: direct');
  });

  test('carries a body with a length, in chunks, and none', async () => {
    const head = `POST http://${server.host}/echo HTTP/1.1\r\nHost: ${server.host}\r\nConnection: close\r\n`;
    expect(echoed(await raw(proxy.port, `${head}Content-Length: 5\r\n\r\nhello`)).body).toBe('hello');
    const chunked = await raw(
      proxy.port,
      `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`,
    );
    expect(echoed(chunked).body).toBe('hello');
    const { headers } = echoed(await raw(proxy.port, `${head}\r\n`));
    expect(headers.join(' ')).toContain('Content-Length 0');
  });

  test('gives back any status, without the headers of the hop', async () => {
    const answer = await get('/teapot');
    expect(statusOf(answer)).toBe(418);
    expect(answer).toContain('short and stout');
    expect(answer).toContain('x-public');
    expect(answer).not.toContain('x-private');
    expect(statusOf(await get('/nowhere'))).toBe(404);
  });

  test('that is cut on its way is cut for the client too', async () => {
    const answer = await get('/cut');
    expect(statusOf(answer)).toBe(200);
    expect(bodyOf(answer)).toBe('some');
  });

  test('that gets no answer is answered 502, and one to nobody as well', async () => {
    expect(statusOf(await get('/gone'))).toBe(502);
    const answer = await raw(
      proxy.port,
      'GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(statusOf(answer)).toBe(502);
    expect(answer).toContain('ERR_SOURCE_UNAVAILABLE');
  });

  test('ends at its origin when the client goes away', async () => {
    const before = server.requests.length;
    const socket = connect(proxy.port, '127.0.0.1');
    socket.write(`GET http://${server.host}/hang HTTP/1.1\r\nHost: ${server.host}\r\n\r\n`);
    await expect.poll(() => server.requests.length).toBe(before + 1);
    const closed = once(server.requests.at(-1)?.socket ?? socket, 'close');
    socket.destroy();
    await closed;
  });

  test('is pipelined with others, each answered in turn', async () => {
    const one = (path: string, close = '') =>
      `GET http://${server.host}${path} HTTP/1.1\r\nHost: a\r\n${close}\r\n`;
    const answer = await raw(
      proxy.port,
      one('/teapot') + one('/nowhere') + one('/teapot', 'Connection: close\r\n'),
    );
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '418',
      '404',
      '418',
    ]);
  });
});

describe('hostile input', () => {
  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'http://0x7f.1:9/',
    'http://2130706433:9/',
    'http://[::ffff:169.254.169.254]/',
    'http://localhost.:9/',
    'http://100.100.100.200/',
    'http://metadata.localhost/',
  ])('an address that is closed is refused: %s', async (url) => {
    await using strict = await startProxy({ allow: [] });
    const answer = await raw(strict.port, `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(statusOf(answer)).toBe(403);
    expect(answer).toContain('ERR_SOURCE_ADDRESS_REFUSED');
    const iso = await raw(
      strict.port,
      `GET ${url.replace(/\/$/, '')}/a.iso HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(statusOf(iso)).toBe(403);
  });

  test.each([
    ['both lengths', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nGET /x'],
    ['a length behind chunks', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\nGET /x'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!'],
    ['two equal lengths', 'Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'],
    ['a list of lengths', 'Content-Length: 5, 5\r\n', 'hello'],
    ['another coding', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
    ['a coding before chunks', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n', '0\r\n\r\n'],
    ['a folded header', 'X: a\r\n b\r\nTransfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'],
    ['two hosts', 'Host: other\r\n', ''],
    ['a bare line feed', 'X: a\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['a null byte', 'X: a\0b\r\n', ''],
  ])('%s: refused, and no origin hears of it', async (_name, headers, body) => {
    const before = server.requests.length;
    const answer = await raw(
      proxy.port,
      `POST http://${server.host}/echo HTTP/1.1\r\nHost: ${server.host}\r\n${headers}Connection: close\r\n\r\n${body}`,
    );
    expect(statusOf(answer)).toBe(400);
    expect(server.requests.length).toBe(before);
  });

  test('a chunk that is no chunk ends the connection, and nothing behind it is a request', async () => {
    const answer = await raw(
      proxy.port,
      `POST http://${server.host}/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET http://${server.host}/smuggled HTTP/1.1\r\n\r\n`,
    );
    expect([0, 400]).toContain(statusOf(answer));
    expect(server.requests.some(({ url }) => url === '/smuggled')).toBe(false);
  });

  test.each([
    ['TRACE', `TRACE http://127.0.0.1/ HTTP/1.1`, 405],
    ['user-info', 'GET http://user:pass@127.0.0.1/ HTTP/1.1', 400],
    ['a backslash', 'GET http://127.0.0.1\\@evil/ HTTP/1.1', 400],
    ['another scheme', 'GET ftp://127.0.0.1/ HTTP/1.1', 404],
    ['a port out of range', 'GET http://127.0.0.1:99999/ HTTP/1.1', 400],
    ['no host', 'GET http:///x HTTP/1.1', 400],
  ])('%s is refused', async (_name, line, status) => {
    const answer = await raw(proxy.port, `${line}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    // What the parser does not take as a target is refused by it.
    expect([status, 400]).toContain(statusOf(answer));
  });

  test('a request that came through here before is answered 508', async () => {
    const answer = await get('/echo', `Via: 1.1 a, 1.1 shoal-${proxy.hostId}\r\n`);
    expect(statusOf(answer)).toBe(508);
  });

  test('headers that are too large are refused', async () => {
    expect(statusOf(await get('/echo', `X: ${'a'.repeat(200_000)}\r\n`))).toBe(431);
  });

  test('an origin that sends headers without end is given up', async () => {
    await using flood = await serve((_request, response) => {
      response.writeHead(200, { 'x-flood': 'a'.repeat(300_000) }).end();
    });
    const answer = await raw(
      proxy.port,
      `GET http://${flood.host}/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(502);
  });

  test('connections kept for origins that nobody asks any more keep nobody from asking another', async () => {
    await using few = await startProxy({ limits: { connections: 4 } });
    // Origins that never close a connection, and do not say how long they keep it.
    const keeping = Array.from({ length: 6 }, () =>
      createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere'));
      }),
    );
    for (const one of keeping) {
      await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
      const { port } = one.address() as AddressInfo;
      const head = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
      expect(bodyOf(await raw(few.port, head))).toBe('here');
    }
    for (const one of keeping) one.close();
  });
});
