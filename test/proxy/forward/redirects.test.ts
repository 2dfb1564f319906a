import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw, serve, startProxy, statusOf, type TestProxy, type TestServer } from './support.ts';
import { exchange, openTlsScene, type TlsScene } from './tls-scene.ts';

/** Loopback that no proxy here may read, with a server that counts whoever comes. */
const FORBIDDEN = '127.0.0.9';
let forbidden: Server;
let forbiddenPort: number;
let visitors = 0;
let proxy: TestProxy;
let origin: TestServer;
let scene: TlsScene;

/** `/302/a.iso?to=URL` redirects there. */
function redirect(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
  const status = Number(pathname.split('/')[1]);
  if (status === 200) return void response.end('the content');
  response.writeHead(status, { location: searchParams.get('to') ?? '' }).end();
}

beforeAll(async () => {
  forbidden = createServer((socket) => {
    visitors += 1;
    socket.on('error', () => {});
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret');
  });
  await new Promise<void>((resolve) => forbidden.listen(0, FORBIDDEN, resolve));
  forbiddenPort = (forbidden.address() as AddressInfo).port;
  origin = await serve(redirect);
  proxy = await startProxy({ allow: ['127.0.0.1'], prefixOrigins: ['127.0.0.1'] });
  scene = await openTlsScene(redirect, { allow: ['127.0.0.1', 'localhost'] });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
  forbidden.close();
});

const ask = (target: string, headers = '', method = 'GET') =>
  raw(proxy.port, `${method} ${target} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`);
const locationOf = (answer: string) => /^location: (.*?)\r?$/im.exec(answer)?.[1];
const inTunnel = async (path: string) =>
  exchange(await scene.secure(), `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\nConnection: close\r\n\r\n`);
const at = (status: number, to: string, name = 'a.iso') => `/${status}/${name}?to=${encodeURIComponent(to)}`;

/** Where to; PORT is that of the server which nobody may read. */
const CASES = [301, 302, 307].flatMap((status) =>
  [
    `http://${FORBIDDEN}:PORT/`,
    `http://[::ffff:${FORBIDDEN}]:PORT/`,
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/latest/meta-data/',
    'http://[fe80::1]/',
    'http://100.100.100.200/',
  ].map((place) => [status, place] as const),
);
const placed = (text: string) => text.replace('PORT', String(forbiddenPort));

function expectRefused(answer: string): void {
  expect(statusOf(answer)).toBe(403);
  expect(answer).toContain('ERR_SOURCE_ADDRESS_REFUSED');
  expect(answer).not.toContain('secret');
  expect(visitors).toBe(0);
}

describe('an origin that redirects to a closed address leads nobody there', () => {
  test.each(CASES)('%i to %s, of content that the swarm gives', async (status, place) => {
    const to = placed(place);
    expectRefused(await ask(`http://${origin.host}${at(status, to)}`));
  });

  test.each(CASES)('%i to %s, of the prefix form', async (status, place) => {
    const to = placed(place);
    const url = `/blobs/http://${origin.host}${at(status, to)}`;
    expectRefused(await ask(url));
    // What only the origin can answer goes straight to it; its client follows by itself, and asks no proxy.
    expectRefused(await ask(url, 'If-None-Match: "x"\r\n'));
    const head = await ask(url, '', 'HEAD');
    expect(statusOf(head)).toBe(403);
    expect(visitors).toBe(0);
  });

  test.each(CASES)('%i to %s, in an intercepted tunnel', async (status, place) => {
    const to = placed(place);
    // From https the redirect to plain http is refused whatever its address; the client gets it, and asks again.
    const secured = to.replace(/^http:/, 'https:');
    expectRefused(await inTunnel(at(status, secured)));
    const passed = await inTunnel(at(status, to, 'page'));
    expect([statusOf(passed), locationOf(passed)]).toEqual([status, to]);
    expectRefused(await ask(to));
    const tunnel = await raw(
      scene.proxy.port,
      `CONNECT ${new URL(to).hostname}:${scene.host.split(':')[1]} HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    expectRefused(tunnel);
  });

  test.each(CASES)(
    '%i to %s, that goes direct: the client gets it, and its next request is refused',
    async (status, place) => {
      const to = placed(place);
      const passed = await ask(`http://${origin.host}${at(status, to, 'page')}`);
      expect([statusOf(passed), locationOf(passed)]).toEqual([status, to]);
      expect(visitors).toBe(0);
      expectRefused(await ask(to));
    },
  );

  test('nor does one that redirects to itself first', async () => {
    const twice = at(302, `http://${origin.host}${at(307, `http://${FORBIDDEN}:${forbiddenPort}/`)}`);
    expectRefused(await ask(`http://${origin.host}${twice}`));
    expectRefused(await ask(`/blobs/http://${origin.host}${twice}`));
  });

  test('a redirect to where one may read is followed, and in the prefix form passed on', async () => {
    const to = `http://${origin.host}/200/b.iso#part`;
    for (const target of [
      `http://${origin.host}${at(302, to)}`,
      `/blobs/http://${origin.host}${at(302, to)}`,
    ]) {
      expect(await ask(target)).toContain('the content');
    }
    const passed = await ask(`/blobs/http://${origin.host}${at(302, to)}`, 'If-None-Match: "x"\r\n');
    expect([statusOf(passed), locationOf(passed)]).toEqual([302, to]);
  });

  test('the server that nobody may read was there all the time', async () => {
    await using named = await startProxy({ allow: ['127.0.0.1', FORBIDDEN] });
    const url = `http://${origin.host}${at(302, `http://${FORBIDDEN}:${forbiddenPort}/`)}`;
    expect(await raw(named.port, `GET ${url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).toContain(
      'secret',
    );
    expect(visitors).toBeGreaterThan(0);
  });
});
