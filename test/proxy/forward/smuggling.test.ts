import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { raw, serve, startProxy, type TestProxy, type TestServer } from './support.ts';
import { exchange, openTlsScene, type TlsScene } from './tls-scene.ts';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: internal.example\r\n\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const length = (bytes: number) => `Content-Length: ${bytes}\r\n`;

let scene: TlsScene;
beforeAll(async () => {
  scene = await openTlsScene((_request, response) => void response.end('the answer'));
});
afterAll(() => scene[Symbol.asyncDispose]());
beforeEach(() => void scene.heard.splice(0));

const post = (headers: string, body: string, path = '/a') =>
  `POST ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n${headers}\r\n${body}`;
const statuses = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => status);

describe('in an intercepted tunnel a request that two readers could take differently is refused, and its connection closed', () => {
  test.each([
    [
      'a length that ends before the chunks do (CL.TE)',
      () => post(`${length(6)}${CHUNKED}`, `0\r\n\r\nG${SMUGGLED}`),
    ],
    [
      'chunks that end before the length does (TE.CL)',
      () => post(`${CHUNKED}${length(4)}`, `5c\r\n${SMUGGLED}\r\n0\r\n\r\n`),
    ],
    ['two lengths', () => post(`${length(0)}${length(SMUGGLED.length)}`, SMUGGLED)],
    ['two equal lengths', () => post(`${length(5)}${length(5)}`, `hello${SMUGGLED}`)],
    ['a list of lengths', () => post('Content-Length: 5, 5\r\n', `hello${SMUGGLED}`)],
    ['another coding', () => post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${SMUGGLED}`)],
    [
      'a coding before the chunks',
      () => post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    ],
    ['two codings', () => post(`${CHUNKED}Transfer-Encoding: identity\r\n`, `0\r\n\r\n${SMUGGLED}`)],
    ['a name with a space', () => post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${SMUGGLED}`)],
    ['a folded header', () => post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${SMUGGLED}`)],
    ['chunks of HTTP/1.0', () => post(CHUNKED, `0\r\n\r\n${SMUGGLED}`).replace('HTTP/1.1', 'HTTP/1.0')],
    ['two hosts', () => post(`Host: internal.example\r\n${length(0)}`, SMUGGLED)],
    ['two equal hosts', () => post(`Host: ${scene.host}\r\n${length(0)}`, SMUGGLED)],
    [
      'a second host behind two hundred headers',
      () => post(`${'X: y\r\n'.repeat(220)}Host: internal.example\r\n${length(0)}`, SMUGGLED),
    ],
    ['no host', () => `GET /a HTTP/1.1\r\n\r\n${SMUGGLED}`],
    [
      'a target that is no path',
      () => `GET https://internal.example/ HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n${SMUGGLED}`,
    ],
    ['no HTTP at all', () => `\0\x01\x02\r\n\r\n${SMUGGLED}`],
  ])('%s', async (_name, text) => {
    const answer = await exchange(await scene.secure(), text());
    expect(statuses(answer)).toEqual(['400']);
    expect(scene.heard).toEqual([]);
  });

  test('headers over their limit, with 431', async () => {
    const answer = await exchange(await scene.secure(), post(`X: ${'a'.repeat(40_000)}\r\n`, SMUGGLED));
    expect(statuses(answer)).toEqual(['431']);
    expect(scene.heard).toEqual([]);
  });

  test.each([
    ['of another name', 'internal.example'],
    ['of another port', 'localhost:1'],
    ['of an address', '127.0.0.1'],
    ['with user-info', 'localhost@internal.example'],
    ['of the tunnel without its port', 'localhost'],
  ])('a Host %s, with 421', async (_name, host) => {
    const answer = await exchange(
      await scene.secure(),
      `GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n${SMUGGLED}`,
    );
    expect(statuses(answer)).toEqual(['421']);
    expect(scene.heard).toEqual([]);
  });

  test('a chunk that is none, when its request went on already, with a cut', async () => {
    const answer = await exchange(await scene.secure(), post(CHUNKED, `zz\r\n${SMUGGLED}`));
    expect(answer).toBe('');
    expect(scene.heard).toEqual([]);
  });

  test('a tunnel within the tunnel is closed', async () => {
    const answer = await exchange(
      await scene.secure(),
      `CONNECT ${scene.host} HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n${SMUGGLED}`,
    );
    expect(answer).not.toContain(' 200 ');
    expect(scene.heard).toEqual([]);
  });
});

/** Ways in which a body may be hidden from one reader and not from another. */
const HIDDEN = [
  ['GET', `Connection: content-length\r\n${length(SMUGGLED.length)}`, SMUGGLED],
  ['GET', `Connection: keep-alive, Content-Length\r\n${length(SMUGGLED.length)}`, SMUGGLED],
  ['DELETE', `Connection: content-length\r\n${length(SMUGGLED.length)}`, SMUGGLED],
  ['OPTIONS', `Connection: content-length\r\n${length(SMUGGLED.length)}`, SMUGGLED],
  [
    'GET',
    `Connection: transfer-encoding\r\n${CHUNKED}`,
    `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  ],
] as const;

describe('a body whose length is said to be of one connection alone stays a body', () => {
  let proxy: TestProxy;
  let server: TestServer;
  const bodies: string[] = [];
  beforeAll(async () => {
    proxy = await startProxy();
    server = await serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      request.on('end', () => {
        bodies.push(`${request.url} ${body}`);
        response.end('the answer');
      });
    });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test.each(HIDDEN)('%s with %j, in absolute form', async (method, headers, body) => {
    bodies.length = 0;
    const head = (verb: string, path: string, more: string) =>
      `${verb} http://${server.host}${path} HTTP/1.1\r\nHost: ${server.host}\r\n${more}\r\n`;
    const answer = await raw(
      proxy.port,
      `${head(method, '/a', headers)}${body}${head('GET', '/last', 'Connection: close\r\n')}`,
    );
    expect(statuses(answer)).toEqual(['200', '200']);
    expect(bodies.sort()).toEqual([`/a ${SMUGGLED}`, '/last ']);
  });

  test.each(HIDDEN)('%s with %j, in an intercepted tunnel', async (method, headers, body) => {
    const head = (verb: string, path: string, more: string) =>
      `${verb} ${path} HTTP/1.1\r\nHost: ${scene.host}\r\n${more}\r\n`;
    const answer = await exchange(
      await scene.secure(),
      `${head(method, '/a', headers)}${body}${head('GET', '/last', 'Connection: close\r\n')}`,
    );
    expect(statuses(answer)).toEqual(['200', '200']);
    expect(scene.heard.sort()).toEqual(
      [`${method} ${scene.host} /a ${SMUGGLED}`, `GET ${scene.host} /last `].sort(),
    );
  });
});

test('more than two hundred headers come to the origin in an intercepted tunnel, none dropped in silence', async () => {
  let names: string[] = [];
  await using own = await openTlsScene((request, response) => {
    names = request.rawHeaders.filter((_, index) => index % 2 === 0);
    response.end();
  });
  const many = Array.from({ length: 300 }, (_, index) => `X-${index}: y\r\n`).join('');
  const text = `GET /a HTTP/1.1\r\nHost: ${own.host}\r\n${many}Connection: close\r\n\r\n`;
  expect(statuses(await exchange(await own.secure(), text))).toEqual(['200']);
  expect(names).toContain('X-299');
});
