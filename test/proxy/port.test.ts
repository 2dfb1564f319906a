import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../core/logger.ts';
import type { ForwardHandler } from '../../proxy/forward-handler.ts';
import { type ProxyPortOptions, startProxyPort } from '../../proxy/port.ts';
import type { ProxyRequest } from '../../proxy/request.ts';
import { connectRaw, type Raw, say } from './raw.ts';

/** Says which handler a request came to. */
const says =
  (who: string) =>
  ({ request, response }: ProxyRequest) => {
    request.resume();
    response.end(`${who} ${request.method} ${request.url}`);
  };

const forward: ForwardHandler = {
  request: says('forward'),
  prefix: says('prefix'),
  connect: (request, socket, head) => void socket.end(`HTTP/1.1 200 OK\r\n\r\n${request.url} ${head}`),
};

function startPort(more: Partial<ProxyPortOptions> = {}) {
  const mirror = says('mirror');
  return startProxyPort({ listen: '127.0.0.1', port: 0, mirror, forward, logger: silentLogger, ...more });
}

const GET = (target: string, headers = '') =>
  `GET ${target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers}\r\n`;

test.each([
  ['/v2/', 'mirror'],
  ['/v2', 'mirror'],
  ['/v2?ns=docker.io', 'mirror'],
  ['http://files.example/a', 'forward'],
  ['HTTPS://files.example/a', 'forward'],
  ['/blobs/https://files.example/a?b=c', 'prefix'],
])('a request for %s goes to the %s', async (target, who) => {
  await using port = await startPort();
  expect(await say(port.port, GET(target))).toContain(`${who} GET ${target}`);
});

test('a tunnel is given away with what came behind its request', async () => {
  await using port = await startPort();
  expect(
    await say(port.port, 'CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\nhello'),
  ).toContain('a.example:443 hello');
});

test('it says that it lives, and that there is nothing elsewhere', async () => {
  await using port = await startPort();
  expect(await say(port.port, GET('/healthz'))).toMatch(/^HTTP\/1\.1 200 [\s\S]*ok\n$/);
  for (const target of ['/', '/v1/', '/v2x', '/metrics', '/blobs', '//v2/', '/../v2/', 'ftp://a/v2/']) {
    expect(await say(port.port, GET(target)), target).toMatch(/^HTTP\/1\.1 404 /);
  }
  expect(await say(port.port, 'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 404 /);
});

describe('a request that two readers could take differently is refused, and its connection closed', () => {
  test.each([
    ['two hosts', 'GET /v2/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'],
    ['no host', 'GET /v2/ HTTP/1.1\r\n\r\n'],
    ['two lengths', 'GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['two equal lengths', 'GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na'],
    ['a list of lengths', 'GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\na'],
    [
      'a length and chunks',
      'POST /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'chunks and a length',
      'POST /v2/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n',
    ],
    ['another coding', 'POST /v2/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    [
      'a coding that is hidden',
      'POST /v2/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two codings',
      'POST /v2/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n',
    ],
    ['a name with a space', 'GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length : 4\r\n\r\nabcd'],
    ['a folded header', 'GET /v2/ HTTP/1.1\r\nhost: a\r\nx: 1\r\n y\r\n\r\n'],
    ['a negative length', 'GET /v2/ HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n'],
    ['two authorizations', 'GET /v2/ HTTP/1.1\r\nhost: a\r\nauthorization: a\r\nauthorization: b\r\n\r\n'],
    ['two registries', 'GET /v2/ HTTP/1.1\r\nhost: a\r\nx-shoal-registry: a\r\nx-shoal-registry: b\r\n\r\n'],
    ['a bare line feed', 'GET /v2/ HTTP/1.1\nhost: a\ncontent-length: 3\n\nabc'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    [
      'a smuggled request behind a refused one',
      'GET /v2/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n',
    ],
    ['two hosts of a tunnel', 'CONNECT a:443 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'],
  ])('%s', async (_name, text) => {
    await using port = await startPort();
    const answer = await say(port.port, text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('headers over 16 KiB', async () => {
    await using port = await startPort();
    expect(await say(port.port, GET('/v2/', `x: ${'a'.repeat(17 * 1024)}\r\n`))).toMatch(/^HTTP\/1\.1 431 /);
    expect(await say(port.port, GET(`/v2/${'a'.repeat(17 * 1024)}`))).toMatch(/^HTTP\/1\.1 431 /);
    expect(await say(port.port, GET('/v2/', 'a:b\r\n'.repeat(9 * 1024)))).toMatch(/^HTTP\/1\.1 431 /);
  });
});

test('headers that do not come to their end are waited for no longer than the limit', async () => {
  await using port = await startPort({ limits: { headerMs: 200 } });
  expect(await say(port.port, 'GET /v2/ HTTP/1.1\r\nhost: a\r\n')).toMatch(/^HTTP\/1\.1 408 |^$/);
  await using silent = await connectRaw(port.port);
  await silent.closed;
  await using dripping = await connectRaw(port.port);
  dripping.send('GET /v2/ HTTP/1.1\r\n');
  const timer = setInterval(() => dripping.send('x: y\r\n'), 20);
  await dripping.closed;
  clearInterval(timer);
});

test('an answered connection that stays idle is closed', async () => {
  await using port = await startPort({ limits: { idleMs: 100 } });
  expect(await say(port.port, 'GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n')).toContain('mirror GET /v2/');
});

test('ten thousand idle connections of one client keep nobody else out', async () => {
  const limits = { connections: 200, connectionsPerAddress: 100 };
  await using port = await startPort({ limits });
  const idle: Raw[] = [];
  for (let round = 0; round < 100; round += 1) {
    idle.push(...(await Promise.all(Array.from({ length: 100 }, () => connectRaw(port.port)))));
    if (round % 20 === 0) expect(await say(port.port, GET('/v2/'))).toContain('mirror GET /v2/');
  }
  expect(await say(port.port, GET('/v2/'))).toContain('mirror GET /v2/');
  await expect.poll(() => idle.filter(({ socket }) => !socket.destroyed).length).toBeLessThanOrEqual(100);
  for (const { socket } of idle) socket.destroy();
});

test('connections at work are never the ones that make room', async () => {
  const held: ProxyRequest['response'][] = [];
  const limits = { connections: 100, connectionsPerAddress: 4 };
  await using port = await startPort({ mirror: ({ response }) => void held.push(response), limits });
  const busy = await Promise.all(Array.from({ length: 4 }, () => connectRaw(port.port)));
  for (const { send } of busy) send(GET('/v2/'));
  await expect.poll(() => held.length).toBe(4);
  await using refused = await connectRaw(port.port);
  expect(await refused.closed).toBe('');
  for (const response of held) response.end('here');
  for (const { closed } of busy) expect(await closed).toContain('here');
  expect(busy.every(({ socket }) => socket.destroyed)).toBe(true);
});

test('a client may not have more than a few requests of one connection under way', async () => {
  const held: ProxyRequest['response'][] = [];
  await using port = await startPort({ mirror: ({ response }) => void held.push(response) });
  expect(await say(port.port, 'GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(50))).toBe('');
  expect(held.length).toBeLessThanOrEqual(16);
});

test('closing lets what is being answered end for a moment, then cuts it', async () => {
  const held: ProxyRequest['response'][] = [];
  const mirror = ({ response }: ProxyRequest) => void held.push(response);
  const port = await startPort({ mirror, limits: { closeMs: 300 } });
  await using ending = await connectRaw(port.port);
  await using hanging = await connectRaw(port.port);
  await using idle = await connectRaw(port.port);
  for (const raw of [ending, hanging]) raw.send('GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n');
  await expect.poll(() => held.length).toBe(2);
  const closed = port[Symbol.asyncDispose]();
  held[0]?.end('the end');
  await closed;
  await idle.closed;
  expect([await ending.closed, await hanging.closed].join('')).toContain('the end');
});

test('a port that is taken is refused in words', async () => {
  await using port = await startPort();
  await expect(startPort({ port: port.port })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringContaining('proxy port'),
  });
  expect(port.address).toBe(`127.0.0.1:${port.port}`);
});
