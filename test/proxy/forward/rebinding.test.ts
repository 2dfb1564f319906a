import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ResolveName } from '../../../origins/connections.ts';
import { raw, startProxy, statusOf, type TestProxy } from './support.ts';
import { exchange, openTlsScene, openTunnel } from './tls-scene.ts';

/** Where one may read, and where not: both listen on one port, and each says which it is. */
const GOOD = '127.0.0.1';
const CLOSED = '127.0.0.9';
const METADATA = '169.254.169.254';

let good: Server;
let closed: Server;
let port: number;
let visitors: Record<string, number>;
/** What a name stands for at its first lookup, its second, …; the last answer stays. */
let answers: string[][];
let lookups: number;
let proxy: TestProxy;

const resolve: ResolveName = (_name, _options, found) => {
  const addresses = answers[Math.min(lookups, answers.length - 1)] ?? [];
  lookups += 1;
  setImmediate(() =>
    found(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    ),
  );
};

function says(name: string): Server {
  return createServer((socket) => {
    visitors[name] = (visitors[name] ?? 0) + 1;
    socket.on('error', () => {});
    socket.once('data', () =>
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\nConnection: close\r\n\r\n${name}`),
    );
  });
}
const listen = (server: Server, at: number, address: string) =>
  new Promise<void>((done) => server.listen(at, address, done));

beforeEach(async () => {
  visitors = {};
  lookups = 0;
  good = says('good');
  closed = says('closed');
  await listen(good, 0, GOOD);
  ({ port } = good.address() as AddressInfo);
  await listen(closed, port, CLOSED);
  proxy = await startProxy({ allow: [GOOD], resolve, connectPorts: [port], prefixOrigins: ['name.example'] });
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  good.close();
  closed.close();
});

const get = (target: string) =>
  raw(proxy.port, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
const WAYS: [string, () => Promise<string>][] = [
  ['direct', () => get(`http://name.example:${port}/page`)],
  ['through the swarm', () => get(`http://name.example:${port}/a.iso`)],
  ['by the prefix form', () => get(`/blobs/http://name.example:${port}/a.iso`)],
  [
    'in a tunnel',
    async () => {
      const opened = await openTunnel(proxy.port, `name.example:${port}`).catch(
        (error: Error) => error.message,
      );
      return typeof opened === 'string' ? opened : exchange(opened, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    },
  ],
];

describe.each(WAYS)('%s', (_way, ask) => {
  test('the address that was checked is the one connected to, whatever its name stands for a moment later', async () => {
    answers = [[GOOD], [CLOSED]];
    expect(await ask()).toMatch(/good$/);
    expect(visitors).toEqual({ good: 1 });
    expect(lookups).toBe(1);
  });

  test('a name that stands for a closed address is refused, and looked up anew the next time', async () => {
    answers = [[CLOSED], [GOOD]];
    const refused = await ask();
    expect(statusOf(refused)).toBe(403);
    expect(refused).toContain('ERR_SOURCE_ADDRESS_REFUSED');
    expect(visitors).toEqual({});
    expect(await ask()).toMatch(/good$/);
    expect(visitors).toEqual({ good: 1 });
  });

  test('a name that changes to a closed address between two requests is refused the second time', async () => {
    answers = [[GOOD], [CLOSED]];
    expect(await ask()).toMatch(/good$/);
    expect(statusOf(await ask())).toBe(403);
    expect(visitors).toEqual({ good: 1 });
  });

  test.each([
    ['first', [CLOSED, GOOD]],
    ['last', [GOOD, CLOSED]],
    ['on both sides', [METADATA, GOOD, CLOSED, `::ffff:${CLOSED}`, 'fe80::1']],
  ])('of several addresses the closed ones are left out: %s', async (_where, addresses) => {
    answers = [addresses];
    expect(await ask()).toMatch(/good$/);
    expect(visitors).toEqual({ good: 1 });
  });

  test('the closed one is not tried where nobody answers at the other', async () => {
    await new Promise((done) => good.close(done));
    answers = [[GOOD, CLOSED]];
    expect([502, 504]).toContain(statusOf(await ask()));
    expect(visitors).toEqual({});
  });

  test.each([
    ['metadata', [METADATA]],
    ['link-local', ['fe80::1']],
    ['loopback, mapped', [`::ffff:${CLOSED}`]],
    ['nothing that is an address', ['name.example']],
  ])('a name that stands for %s is refused', async (_what, addresses) => {
    answers = [addresses];
    expect(statusOf(await ask())).toBe(403);
    expect(visitors).toEqual({});
  });
});

test('in an intercepted tunnel a name is refused by what it stands for when it is connected to', async () => {
  await using scene = await openTlsScene((_request, response) => void response.end('here'), {
    allow: [GOOD],
    resolve,
  });
  const trap = says('trap');
  await listen(trap, Number(scene.host.split(':')[1]), CLOSED);
  const ask = async (path: string) =>
    exchange(
      await scene.secure(),
      `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\nConnection: close\r\n\r\n`,
    );
  for (const path of ['/page', '/a.iso']) {
    lookups = 0;
    answers = [[CLOSED], [GOOD], [CLOSED]];
    const refused = await ask(path);
    expect(statusOf(refused)).toBe(403);
    expect(refused).toContain('ERR_SOURCE_ADDRESS_REFUSED');
    expect(statusOf(await ask(path))).toBe(200);
    expect(lookups).toBe(2);
  }
  expect(scene.heard.length).toBe(2);
  expect(visitors).toEqual({});
  trap.close();
});
