import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { raw, serve, startProxy, statusOf, type TestProxy, type TestServer } from './support.ts';
import { exchange, openTlsScene, openTunnel, type TlsScene } from './tls-scene.ts';

const MIB = 1024 * 1024;
/** What a client that does not read could make the proxy take in, if nothing held it back. */
const FLOOD_BYTES = 400 * MIB;
/** Longer than a test: a limit that is not the one looked at. */
const NEVER_MS = 600_000;
const PATIENT = { handshakeMs: NEVER_MS, headersMs: NEVER_MS, idleMs: NEVER_MS, silentClientMs: NEVER_MS };
const LIMIT_MS = 600;
/** Longer, since clients that are not idle pause too, where the machine is busy. */
const IDLE_MS = 2_500;
/** Longer still: the swarm reads and checks all of it in this time, though no byte moves on to the client. */
const SWARM_IDLE_MS = 6_000;

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

/** Waits until a connection is closed, which only the limit that was handed in does. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', resolve)));
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
  await expect.poll(() => floods.size).toBe(0);
  // It lies in the buffers of the kernel: those of up to three connections of this machine, some MiB each.
  expect(poured).toBeLessThan(16 * MIB * Math.min(count + 1, 8));
  deaf.destroy();
}

/** Asks one proxy for a path of an origin, as others do meanwhile. */
type AskFor = (path: string) => Promise<string>;

/** Others are served. They are under the same limits: on a busy machine one may be cut too, and tries again. */
async function expectServed(askFor: AskFor): Promise<void> {
  for (const path of ['/page', '/a.iso']) {
    await vi.waitFor(async () => {
      const answer = await askFor(path);
      expect(statusOf(answer)).toBe(200);
      expect(answer).toContain('the answer');
    });
  }
}

/** What comes first of a connection. @throws where it is closed before */
async function firstOf(socket: Socket): Promise<Buffer> {
  const cut = closed(socket).then(() => undefined);
  const heard = once(socket, 'data').then(
    ([chunk]) => chunk as Buffer,
    () => undefined,
  );
  const first = await Promise.race([heard, cut]);
  if (first === undefined) throw new Error('closed before anything came');
  return first;
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
  await expect.poll(() => poured).toBe(FLOOD_BYTES);
  await expectServed(askFor);
  const ended = () => log.find(({ path }) => path === '/flood.iso');
  await expect.poll(ended).toMatchObject({ status: 200, from: 'swarm' });
  expect(ended()?.['bytes']).toBeLessThan(16 * MIB);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB);
  deaf.destroy();
}

describe('in an intercepted tunnel whose headers may not take long', () => {
  let scene: TlsScene;
  beforeAll(async () => {
    scene = await openTlsScene(answer, { limits: { ...PATIENT, headersMs: LIMIT_MS } });
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test('headers that drip for ever are waited for no longer than the limit', async () => {
    const slow = await Promise.all(Array.from({ length: 50 }, () => scene.secure()));
    for (const tls of slow) {
      tls.resume().write(`GET /page HTTP/1.1\r\nHost: ${scene.host}\r\nX: `);
      drip(tls, 'a');
    }
    const cut = Promise.all(slow.map(closed));
    await expectServed(inTunnelOf(scene));
    await cut;
  });

  test('nor are those of the next request, or any at all', async () => {
    const again = await vi.waitFor(async (): Promise<TLSSocket> => {
      const tls = await scene.secure();
      tls.write(`GET /page HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n`);
      await firstOf(tls);
      return tls;
    });
    again.resume().write('GET /page HTTP/1.1\r\n');
    drip(again, 'X: y\r\n');
    const silent = await scene.secure();
    await Promise.all([again, silent.resume()].map(closed));
  });
});

describe('in an intercepted tunnel whose handshake may not take long', () => {
  let scene: TlsScene;
  beforeAll(async () => {
    scene = await openTlsScene(answer, { limits: { ...PATIENT, handshakeMs: LIMIT_MS } });
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test.each([
    ['stops after its first byte', Buffer.from([0x16]), undefined],
    ['stops in the middle of its hello', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), undefined],
    ['drips', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), '\x01'],
  ])('a handshake that %s is waited for no longer than the limit', async (_how, first, more) => {
    const slow = await Promise.all(Array.from({ length: 20 }, () => scene.tunnel()));
    for (const socket of slow) {
      socket.resume().write(first);
      if (more !== undefined) drip(socket, more);
    }
    const cut = Promise.all(slow.map(closed));
    await expectServed(inTunnelOf(scene));
    await cut;
  });

  test('nor is one whose client heard the server and says no more', async () => {
    const hello = await clientHello();
    const socket = await vi.waitFor(async () => {
      const tunnel = await scene.tunnel();
      tunnel.write(hello);
      expect((await firstOf(tunnel))[0]).toBe(0x16);
      return tunnel;
    });
    await closed(socket.resume());
  });
});

describe('in an intercepted tunnel that may not idle for long', () => {
  let scene: TlsScene;
  beforeAll(async () => {
    scene = await openTlsScene(answer, { limits: { ...PATIENT, idleMs: IDLE_MS } });
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test('a client that says nothing at all is cut', async () => {
    const limits = { ...PATIENT, idleMs: IDLE_MS, silentClientMs: 200 };
    await using quick = await openTlsScene(answer, { limits });
    const socket = await quick.tunnel();
    await closed(socket.resume());
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
    const limits = { ...PATIENT, idleMs: SWARM_IDLE_MS };
    await using slower = await openTlsScene(answer, { limits });
    const deaf = await slower.secure();
    deaf.pause().write(`GET /flood.iso HTTP/1.1\r\nHost: ${slower.host}\r\n\r\n`);
    await expectCutDeafToSwarm(deaf, slower.proxy.log, inTunnelOf(slower));
  });
});

describe('on the port itself', () => {
  let proxy: TestProxy;
  let server: TestServer;
  beforeAll(async () => {
    server = await serve(answer);
    proxy = await startProxy({
      connectPorts: [server.port],
      limits: { ...PATIENT, silentClientMs: 200, idleMs: IDLE_MS },
      portLimits: { stuckMs: IDLE_MS },
    });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const askOf =
    (port: number): AskFor =>
    (path) =>
      raw(port, `GET http://${server.host}${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);

  test.each([
    ['once', 1],
    ['many times in one breath', 16],
  ])('a client that asks %s and never reads costs little, and is cut', async (_how, count) => {
    poured = 0;
    const deaf = connect(proxy.port, '127.0.0.1').on('error', () => {});
    deaf.write(`GET http://${server.host}/flood HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(count));
    await expectCutDeaf(deaf, askOf(proxy.port), count);
  });

  test('a client of a plain tunnel that asks and never reads costs little, and is cut', async () => {
    poured = 0;
    const deaf = await openTunnel(proxy.port, server.host);
    deaf.pause().write('GET /flood HTTP/1.1\r\nHost: a\r\n\r\n');
    await expectCutDeaf(deaf, askOf(proxy.port));
  });

  test('and so is one that asks for content of the swarm', async () => {
    poured = FLOOD_BYTES - 64 * MIB;
    await using slower = await startProxy({
      connectPorts: [server.port],
      limits: { ...PATIENT, idleMs: SWARM_IDLE_MS },
      portLimits: { stuckMs: SWARM_IDLE_MS },
    });
    const deaf = connect(slower.port, '127.0.0.1').on('error', () => {});
    deaf.write(`GET http://${server.host}/flood.iso HTTP/1.1\r\nHost: a\r\n\r\n`);
    await expectCutDeafToSwarm(deaf, slower.log, askOf(slower.port));
  });
});
