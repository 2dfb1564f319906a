import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw, serve, startProxy, statusOf, type TestProxy, type TestServer } from './support.ts';
import { exchange, openTlsScene, openTunnel, type TlsScene } from './tls-scene.ts';

const MIB = 1024 * 1024;
/** What a client that does not read could make the proxy take in, if nothing held it back. */
const FLOOD_BYTES = 400 * MIB;
const LIMITS = { handshakeMs: 600, headersMs: 600, silentClientMs: 200 };
const IDLE_MS = 1_200;

/** Bytes that origins could get rid of for `/flood`, and the answers that are not over. */
let poured = 0;
const floods = new Set<ServerResponse>();

/** Sends as much as the other side takes. */
function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(256 * 1024);
  const more = () => {
    while (!response.destroyed && poured < FLOOD_BYTES) {
      poured += chunk.length;
      if (!response.write(chunk)) return void response.once('drain', more);
    }
    if (poured >= FLOOD_BYTES) response.end();
  };
  floods.add(response);
  response.once('close', () => floods.delete(response));
  response.writeHead(200);
  more();
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url?.startsWith('/flood')) pour(response);
  else response.writeHead(200, { etag: '"e"', 'content-length': 10 }).end('the answer');
}

/** How long a connection lives, ms. */
async function lifeMs(socket: Socket): Promise<number> {
  const startedMs = performance.now();
  await new Promise((resolve) => socket.once('close', resolve));
  return performance.now() - startedMs;
}

/** Says something again and again until the connection is closed. */
function drip(socket: Socket, text: string, everyMs = 50): void {
  const timer = setInterval(() => socket.write(text), everyMs);
  socket.once('close', () => clearInterval(timer));
}

/** The first words of a real client. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ port, host: '127.0.0.1', servername: 'localhost' }).on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

/** A client that has asked for what has no end and reads nothing is cut, and little was taken in for it. */
async function expectCutDeaf(deaf: Socket, askFor: AskFor, count = 1): Promise<void> {
  await expect.poll(() => poured).toBeGreaterThan(0);
  const before = process.memoryUsage().arrayBuffers;
  await expectServed(askFor);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * MIB);
  await expect.poll(() => floods.size, { timeout: 5_000 }).toBe(0);
  // It lies in the buffers of the kernel: those of up to three connections of this machine, some MiB each.
  expect(poured).toBeLessThan(16 * MIB * Math.min(count + 1, 8));
  deaf.destroy();
}

/** Asks one proxy for a path of an origin, as others do meanwhile. */
type AskFor = (path: string) => Promise<string>;

async function expectServed(askFor: AskFor): Promise<void> {
  for (const path of ['/page', '/a.iso']) {
    const answer = await askFor(path);
    expect(statusOf(answer)).toBe(200);
    expect(answer).toContain('the answer');
  }
}
const inTunnelOf =
  (scene: TlsScene): AskFor =>
  async (path) =>
    exchange(
      await scene.secure(),
      `GET ${path} HTTP/1.1\r\nHost: ${scene.host}\r\nConnection: close\r\n\r\n`,
    );

/** A client that has asked for content of the swarm and reads nothing is cut; what was read for it is on the disk. */
async function expectCutDeafToSwarm(deaf: Socket, log: TestProxy['log'], askFor: AskFor): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  await expect.poll(() => poured, { timeout: 10_000 }).toBe(FLOOD_BYTES);
  await expectServed(askFor);
  const ended = () => log.find(({ path }) => path === '/flood.iso');
  await expect.poll(ended, { timeout: 10_000 }).toMatchObject({ status: 200, from: 'swarm' });
  expect(ended()?.['bytes']).toBeLessThan(16 * MIB);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB);
  deaf.destroy();
}

describe('in an intercepted tunnel', () => {
  let scene: TlsScene;
  beforeAll(async () => {
    scene = await openTlsScene(answer, { limits: { ...LIMITS, idleMs: 60_000 } });
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test('headers that drip for ever are waited for no longer than the limit', async () => {
    const slow = await Promise.all(Array.from({ length: 50 }, () => scene.secure()));
    const lives = slow.map((tls) => {
      tls.resume().write(`GET /page HTTP/1.1\r\nHost: ${scene.host}\r\nX: `);
      drip(tls, 'a');
      return lifeMs(tls);
    });
    await expectServed(inTunnelOf(scene));
    for (const ms of await Promise.all(lives)) expect(ms).toBeLessThan(2_000);
  });

  test('nor are those of the next request, or any at all', async () => {
    const again = await scene.secure();
    again.write(`GET /page HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n`);
    await once(again, 'data');
    again.resume().write('GET /page HTTP/1.1\r\n');
    drip(again, 'X: y\r\n');
    const silent = await scene.secure();
    for (const ms of await Promise.all([again, silent.resume()].map(lifeMs))) expect(ms).toBeLessThan(2_000);
  });

  test.each([
    ['stops after its first byte', Buffer.from([0x16]), undefined],
    ['stops in the middle of its hello', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), undefined],
    ['drips', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), '\x01'],
  ])('a handshake that %s is waited for no longer than the limit', async (_how, first, more) => {
    const slow = await Promise.all(Array.from({ length: 20 }, () => scene.tunnel()));
    const lives = slow.map((socket) => {
      socket.resume().write(first);
      if (more !== undefined) drip(socket, more);
      return lifeMs(socket);
    });
    await expectServed(inTunnelOf(scene));
    for (const ms of await Promise.all(lives)) expect(ms).toBeLessThan(2_000);
  });

  test('nor is one whose client heard the server and says no more', async () => {
    const socket = await scene.tunnel();
    socket.write(await clientHello());
    const [heard] = (await once(socket, 'data')) as [Buffer];
    expect(heard[0]).toBe(0x16);
    expect(await lifeMs(socket.resume())).toBeLessThan(2_000);
  });
});

describe('in an intercepted tunnel that may not idle for long', () => {
  let scene: TlsScene;
  beforeAll(async () => {
    scene = await openTlsScene(answer, { limits: { ...LIMITS, idleMs: IDLE_MS } });
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test('a client that says nothing at all is cut', async () => {
    const socket = await scene.tunnel();
    expect(await lifeMs(socket.resume())).toBeLessThan(3_000);
  });

  test.each([1, 16])(
    'a client that asks %i times and never reads costs little, and is cut',
    async (count) => {
      poured = 0;
      const deaf = await scene.secure();
      deaf.pause().write(`GET /flood HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n`.repeat(count));
      await expectCutDeaf(deaf, inTunnelOf(scene), count);
    },
  );

  test('and so is one that asks for content of the swarm', async () => {
    poured = FLOOD_BYTES - 64 * MIB;
    const deaf = await scene.secure();
    deaf.pause().write(`GET /flood.iso HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n`);
    await expectCutDeafToSwarm(deaf, scene.proxy.log, inTunnelOf(scene));
  });
});

describe('on the port itself', () => {
  let proxy: TestProxy;
  let server: TestServer;
  beforeAll(async () => {
    server = await serve(answer);
    proxy = await startProxy({
      connectPorts: [server.port],
      limits: { ...LIMITS, idleMs: IDLE_MS },
      portLimits: { stuckMs: IDLE_MS },
    });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const askFor: AskFor = (path) =>
    raw(proxy.port, `GET http://${server.host}${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);

  test.each([
    ['once', 1],
    ['many times in one breath', 16],
  ])('a client that asks %s and never reads costs little, and is cut', async (_how, count) => {
    poured = 0;
    const deaf = connect(proxy.port, '127.0.0.1').on('error', () => {});
    deaf.write(`GET http://${server.host}/flood HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(count));
    await expectCutDeaf(deaf, askFor, count);
  });

  test('a client of a plain tunnel that asks and never reads costs little, and is cut', async () => {
    poured = 0;
    const deaf = await openTunnel(proxy.port, server.host);
    deaf.pause().write('GET /flood HTTP/1.1\r\nHost: a\r\n\r\n');
    await expectCutDeaf(deaf, askFor);
  });

  test('and so is one that asks for content of the swarm', async () => {
    poured = FLOOD_BYTES - 64 * MIB;
    const deaf = connect(proxy.port, '127.0.0.1').on('error', () => {});
    deaf.write(`GET http://${server.host}/flood.iso HTTP/1.1\r\nHost: a\r\n\r\n`);
    await expectCutDeafToSwarm(deaf, proxy.log, askFor);
  });
});
