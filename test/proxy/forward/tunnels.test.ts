import { pbkdf2 } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openHostMetrics } from '../../../app/metrics.ts';
import { raw, startProxy, statusOf, type TestProxy } from './support.ts';
import { exchange, openTlsScene, openTunnel, type TlsScene } from './tls-scene.ts';

/** A server that says back what it hears, and knows its open connections. */
interface Echo extends AsyncDisposable {
  readonly port: number;
  readonly host: string;
  readonly open: ReadonlySet<Socket>;
  readonly accepted: () => number;
}

async function startEcho(address = '127.0.0.1'): Promise<Echo> {
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => open.delete(socket));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `${address}:${port}`,
    open,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Sockets of this process, which is client, proxy and origin at once, as the kernel counts them. */
function sockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/** Longer than a pause that a busy machine makes. */
const IDLE_MS = 2_000;

const connectTo = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
const echoed = async (socket: Socket, text: string) => {
  socket.write(text);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
};

let echo: Echo;
let proxy: TestProxy;
let sockets0: number;
beforeAll(async () => {
  echo = await startEcho();
  proxy = await startProxy({ connectPorts: [echo.port] });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await expect.poll(() => echo.open.size).toBe(0);
  sockets0 = sockets();
});

describe('a tunnel to an address that is closed is refused, however it is written', () => {
  let strict: TestProxy;
  let loopback: Echo;
  beforeAll(async () => {
    loopback = await startEcho();
    strict = await startProxy({ allow: [], connectPorts: [443, loopback.port] });
  });
  afterAll(async () => {
    await strict[Symbol.asyncDispose]();
    await loopback[Symbol.asyncDispose]();
  });

  test.each([
    '127.0.0.1',
    '127.0.0.1.',
    '2130706433',
    '017700000001',
    '0177.0.0.1',
    '0x7f000001',
    '0x7F.0.0.1',
    '127.1',
    '0',
    '0.0.0.0',
    'localhost',
    'LOCALHOST.',
    'any.localhost',
    '[::]',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
  ])('loopback as %s', async (host) => {
    const answer = await raw(strict.port, connectTo(`${host}:${loopback.port}`));
    expect(statusOf(answer)).toBe(403);
    expect(answer).toContain('ERR_SOURCE_ADDRESS_REFUSED');
    expect(loopback.accepted()).toBe(0);
  });

  test.each([
    '169.254.169.254',
    '169.254.169.254.',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '169.254.43518',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[febf::1]',
    '100.100.100.200',
  ])('metadata or link-local as %s', async (host) => {
    const answer = await raw(strict.port, connectTo(`${host}:443`));
    expect(statusOf(answer)).toBe(403);
    expect(answer).toContain('ERR_SOURCE_ADDRESS_REFUSED');
  });

  test.each([
    'localhost:0',
    'localhost:70000',
    'localhost:-1',
    'localhost:0x1bb',
    'localhost:443443',
    'localhost:',
    ':443',
    'user@localhost:443',
    'user:secret@localhost:443',
    'localhost:443@example.com:443',
    '[fe80::1%25eth0]:443',
    '[::1:443',
    '256.256.256.256:443',
    'a..b\\c:443',
    'https://localhost:443',
  ])('%s is no address at all', async (authority) => {
    expect(statusOf(await raw(strict.port, connectTo(authority)))).toBe(400);
  });
});

describe('tunnels are bounded', () => {
  test('the next one is refused with 503 and counted, other requests go on, and one that ends makes room', async () => {
    const { metrics, text } = openHostMetrics();
    await using few = await startProxy({ connectPorts: [echo.port], limits: { tunnels: 3 }, metrics });
    const held = await Promise.all([1, 2, 3].map(() => openTunnel(few.port, echo.host)));
    const refused = await raw(few.port, connectTo(echo.host));
    expect(statusOf(refused)).toBe(503);
    expect(refused).toContain('too many tunnels are open');
    expect(await text()).toContain('shoal_proxy_requests_total{route="connect",status="503"} 1');
    const healthy = await raw(few.port, 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(statusOf(healthy)).toBe(200);
    const [first, ...others] = held;
    for (const socket of others) expect(await echoed(socket, 'still here')).toBe('still here');
    first?.destroy();
    await expect.poll(async () => statusOf(await raw(few.port, connectTo(echo.host), '\r\n\r\n'))).toBe(200);
    for (const socket of others) socket.destroy();
  });

  test('so that all of them together leave room for others of the same address', async () => {
    await using own = await startProxy({ connectPorts: [echo.port] });
    const held: Socket[] = [];
    let refused = '';
    while (refused === '') {
      const batch = Array.from({ length: 50 }, () =>
        openTunnel(own.port, echo.host).then(
          (socket) => void held.push(socket),
          (error: Error) => {
            refused = error.message;
          },
        ),
      );
      await Promise.all(batch);
      expect(held.length).toBeLessThan(1_100);
    }
    expect(statusOf(refused)).toBe(503);
    const healthy = await Promise.all(
      Array.from({ length: 200 }, () =>
        raw(own.port, 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
      ),
    );
    expect(healthy.map(statusOf)).toEqual(Array(200).fill(200));
    for (const socket of held) socket.destroy();
  });

  test('one on which nothing moves ends after the idle time, and one that is used does not', async () => {
    await using quick = await startProxy({ connectPorts: [echo.port], limits: { idleMs: IDLE_MS } });
    const [idle, used] = await Promise.all([1, 2].map(() => openTunnel(quick.port, echo.host)));
    if (idle === undefined || used === undefined) throw new Error('no tunnels');
    const timer = setInterval(() => used.write('x'), 50);
    used.resume();
    await once(idle.resume(), 'close');
    // The next one that is idle ends too, long after the used one would have.
    const later = await openTunnel(quick.port, echo.host);
    await once(later.resume(), 'close');
    expect(used.destroyed).toBe(false);
    await expect.poll(() => echo.open.size).toBe(1);
    clearInterval(timer);
    used.destroy();
  });
});

describe('a client that vanishes leaves no socket behind on either side', () => {
  test('in a tunnel', async () => {
    const socket = await openTunnel(proxy.port, echo.host);
    expect(await echoed(socket, 'hello')).toBe('hello');
    expect(sockets()).toBeGreaterThan(sockets0);
    socket.resetAndDestroy();
    await expect.poll(() => echo.open.size).toBe(0);
    await expect.poll(sockets).toBe(sockets0);
  });

  test('in a tunnel whose origin sends without end', async () => {
    const flood = createServer((socket) => {
      socket.on('error', () => {});
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024)));
      };
      socket.on('drain', pour);
      pour();
    });
    await new Promise<void>((resolve) => flood.listen(0, '127.0.0.1', resolve));
    const { port } = flood.address() as AddressInfo;
    await using open = await startProxy({ connectPorts: [port] });
    const before = sockets();
    const socket = connect(open.port, '127.0.0.1');
    socket.write(connectTo(`127.0.0.1:${port}`));
    await once(socket, 'data');
    socket.pause();
    socket.resetAndDestroy();
    await expect.poll(sockets).toBe(before);
    flood.close();
  });

  test('nor does a proxy that is closed', async () => {
    const own = await startProxy({ connectPorts: [echo.port] });
    const socket = await openTunnel(own.port, echo.host);
    expect(await echoed(socket, 'hello')).toBe('hello');
    await own[Symbol.asyncDispose]();
    await expect.poll(() => echo.open.size).toBe(0);
    await expect.poll(sockets).toBe(sockets0);
  });

  test('before its tunnel stands', async () => {
    for (let round = 0; round < 20; round += 1) {
      const socket = connect(proxy.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(connectTo(echo.host));
      await once(socket, 'connect');
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
    }
    await expect.poll(sockets).toBe(sockets0);
  });

  test('after it was refused, whether or not it closes its side', async () => {
    const answer = await raw(proxy.port, connectTo('169.254.169.254:443'));
    expect(statusOf(answer)).toBe(403);
    await expect.poll(sockets).toBe(sockets0);
    for (const text of [
      connectTo('169.254.169.254:443'),
      'CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    ]) {
      const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', () => {});
      socket.write(text);
      const timer = setInterval(() => socket.write('more'), 50);
      await new Promise((resolve) => socket.resume().once('close', resolve));
      clearInterval(timer);
      await expect.poll(sockets).toBe(sockets0);
    }
  });
});

describe('with a CA', () => {
  let scene: TlsScene;
  const HELLO = Buffer.concat([Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]), Buffer.alloc(100, 7)]);
  beforeAll(async () => {
    scene = await openTlsScene(
      (request, response) => {
        if (request.url !== '/hang') response.end('the answer');
      },
      { limits: { tunnels: 3, silentClientMs: 600_000 } },
    );
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test('a client that vanishes in the middle of a request leaves no socket behind on either side', async () => {
    const before = sockets();
    const tunnel = await scene.tunnel();
    const tls = await scene.secure(tunnel);
    tls.write(`GET /hang HTTP/1.1\r\nHost: ${scene.host}\r\n\r\n`);
    await expect.poll(() => scene.connections.size).toBe(1);
    tunnel.resetAndDestroy();
    await expect.poll(() => scene.connections.size).toBe(0);
    await expect.poll(sockets).toBe(before);
  });

  test('clients that vanish while a certificate is made for them hold no place among the tunnels', async () => {
    const before = sockets();
    const ended = () => scene.proxy.log.filter(({ route }) => route === 'connect').length;
    const endedBefore = ended();
    const port = scene.host.split(':')[1];
    for (let round = 0; round < 3; round += 1) {
      // Certificates are signed by the threads that are busy with this.
      const busy = Promise.all(
        Array.from({ length: 8 }, () => promisify(pbkdf2)('a', 'b', 200_000, 64, 'sha512')),
      );
      const socket = connect(scene.proxy.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      const head = Buffer.from(connectTo(`host${round}.localhost:${port}`));
      await new Promise((resolve) => socket.write(Buffer.concat([head, HELLO]), resolve));
      // Whoever asks later is answered: so it was read.
      await raw(scene.proxy.port, 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      socket.resetAndDestroy();
      await busy;
    }
    await expect.poll(sockets).toBe(before);
    await expect.poll(ended).toBe(endedBefore + 3);
    const held = await Promise.all([1, 2, 3].map(() => scene.tunnel()));
    for (const socket of held) socket.destroy();
  });

  test('a client that ends its side without a word is gone, and no origin hears of it', async () => {
    await using patient = await openTlsScene(() => {}, {
      connectPorts: [echo.port],
      limits: { silentClientMs: 600_000 },
    });
    const accepted = echo.accepted();
    const socket = await openTunnel(patient.proxy.port, `localhost:${echo.port}`);
    socket.resume().end();
    await once(socket, 'close');
    expect(echo.accepted()).toBe(accepted);
  });

  test('a tunnel that stands already is cut, not answered, where its origin is refused or away', async () => {
    await using strict = await openTlsScene(() => {}, {
      limits: { silentClientMs: 100 },
      allow: [],
      connectPorts: [echo.port],
      resolve: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
    });
    const socket = await openTunnel(strict.proxy.port, `files.example:${echo.port}`);
    expect(await exchange(socket, 'GET / HTTP/1.1\r\nHost: files.example\r\n\r\n')).toBe('');
    expect(echo.open.size).toBe(0);
  });
});
