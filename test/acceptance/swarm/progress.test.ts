import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { encode } from '../../../transport/codec.ts';
import { ROOT, run, SHOAL, skewedBy, startCommand, until } from '../../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../../support/files.ts';
import { type Nginx, startNginx } from '../../support/nginx.ts';
import { type Swarm, type SwarmOptions, startSwarm } from '../../support/swarm.ts';
import { note } from './scene.ts';

/*
 * Whatever happens to the others: who can read the origin is done within two plain downloads and 15 s, and right.
 * Each host has a network of its own, so that one link of many can be cut; the origin gives 60 MB/s.
 */
const NETLAB = join(ROOT, 'bench/netlab.sh');
const HOSTS = 4;
const BYTES = 64 * MIB;
const ORIGIN_RATE = '480mbit';
const ALL = Array.from({ length: HOSTS }, (_, index) => `peer${index + 1}`);
const WHOLE_DAY = 86_400_000;

const inside = (host: string) => ['ip', 'netns', 'exec', `shl${host.replace('peer', '')}`];
const ip = async (host: string) => (await run([NETLAB, 'ip', host.replace('peer', '')])).trim();

interface Scene {
  readonly swarm: Swarm;
  readonly origin: Nginx;
  readonly url: string;
  readonly digest: string;
  /** What one curl takes over the same links, seconds. */
  readonly plainSeconds: number;
  /** All files right, in time; prints and returns how often the origin was read meanwhile. */
  allRight(hosts: readonly string[], during?: () => Promise<void>): Promise<number>;
}

beforeAll(async () => {
  await run([NETLAB, 'up', String(HOSTS + 1), 'none']);
  await run([NETLAB, 'rate', '0', ORIGIN_RATE]);
});

afterAll(async () => {
  await run([NETLAB, 'down']);
});

async function openScene(options: Partial<SwarmOptions> = {}, bytes = BYTES): Promise<Scene> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-progress-'));
  mkdirSync(join(dir, 'www'));
  const digest = writeRandomFile(join(dir, 'www/file'), bytes);
  const address = await ip('0');
  const origin = await startNginx({
    dir,
    root: join(dir, 'www'),
    address,
    port: 80,
    inside: inside('peer0'),
  });
  const swarm = await startSwarm({
    peers: HOSTS,
    seed: false,
    natsAddress: (await run([NETLAB, 'bridge'])).trim(),
    dir: join(dir, 'swarm'),
    inside,
    ...options,
  });
  const url = origin.url('/file');
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(swarm.logs());
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  const plain = await startCommand([...inside('peer1'), 'curl', '-sf', '-o', join(dir, 'plain'), url]).done;
  expect(plain.code, plain.stderr).toBe(0);
  const plainSeconds = plain.wallMs / 1000;
  return {
    swarm,
    origin,
    url,
    digest,
    plainSeconds,
    async allRight(hosts, during) {
      const before = origin.bodyBytes();
      const begun = performance.now();
      const gets = hosts.map(async (host) => {
        const output = join(dir, `out-${host}`);
        const limit = `${Math.ceil(2 * plainSeconds + 60)}s`;
        const got = await swarm.get(host, url, { digest, output, flags: ['--timeout', limit] }).done;
        return { host, output, got, seconds: (performance.now() - begun) / 1000 };
      });
      await during?.();
      const done = await Promise.all(gets);
      for (const { host, output, got } of done) {
        expect(got.code, `${host}: ${got.stderr}`).toBe(0);
        expect(await digestOfFile(output), host).toBe(digest);
      }
      const slowest = Math.max(...done.map(({ seconds }) => seconds));
      const copies = (origin.bodyBytes() - before) / bytes;
      note(
        `${slowest.toFixed(1)} s where plain takes ${plainSeconds.toFixed(1)}; ${copies.toFixed(2)} copies`,
      );
      expect(slowest).toBeLessThanOrEqual(2 * plainSeconds + 15);
      return copies;
    },
  };
}

test('two schedulers, and the newer one is killed', async () => {
  const scene = await openScene();
  scene.swarm.start('scheduler2');
  await delay(3_000);
  await scene.swarm.kill('scheduler2');
  expect(await scene.allRight(ALL)).toBeLessThanOrEqual(1.1);
});

test('a scheduler whose clock was an hour ahead, and is right', async () => {
  const environmentOf = (name: string) => (name === 'scheduler' ? skewedBy(3_600_000) : {});
  const scene = await openScene({ environmentOf });
  await scene.swarm.stop('scheduler');
  scene.swarm.start('scheduler', {});
  await delay(2_000);
  expect(await scene.allRight(ALL)).toBeLessThanOrEqual(1.1);
});

test.each([
  ['a day and an hour ahead', () => Date.now() + WHOLE_DAY + 3_600_000],
  ['of the largest number there is', () => Number.MAX_SAFE_INTEGER],
])('a forged census with an epoch %s', async (_what, epoch) => {
  const scene = await openScene();
  const nats = await connect({ servers: scene.swarm.natsUrl });
  const partitions = Array.from({ length: 64 }, (_, partition) => partition);
  nats.publish('shoal.v1.census', encode({ epoch: epoch(), partitions, schedulerKeys: [] }));
  await nats.drain();
  expect(await scene.allRight(ALL)).toBeLessThanOrEqual(1.1);
});

test('a forged census with an epoch an hour ahead is healed by the scheduler', async () => {
  const scene = await openScene();
  const nats = await connect({ servers: scene.swarm.natsUrl });
  const partitions = Array.from({ length: 64 }, (_, partition) => partition);
  nats.publish('shoal.v1.census', encode({ epoch: Date.now() + 3_600_000, partitions, schedulerKeys: [] }));
  await nats.drain();
  expect(await scene.allRight(ALL)).toBeLessThanOrEqual(1.1);
});

test.each([
  ['300 s ahead', 300_000],
  ['300 s behind', -300_000],
])('a host whose clock is %s', async (_what, ms) => {
  const environmentOf = (name: string) => (name === 'peer2' ? skewedBy(ms) : {});
  const scene = await openScene({ environmentOf });
  expect(await scene.allRight(ALL)).toBeLessThanOrEqual(1.1);
});

/** What is done so that two hosts cannot speak: the first is the holder. */
const CUTS: readonly [string, (holder: string, child: string) => Promise<void>][] = [
  ['no way there', async (holder, child) => void (await cut(child, holder, 'unreachable'))],
  ['a way there, and none back', async (holder, child) => void (await cut(holder, child, 'blackhole'))],
];

async function cut(from: string, to: string, how: 'unreachable' | 'blackhole'): Promise<void> {
  await run([...inside(from), 'ip', 'route', 'add', how, `${await ip(to)}/32`]);
  onTestFinished(async () => {
    await run([...inside(from), 'ip', 'route', 'del', how, `${await ip(to)}/32`]);
  });
}

test.each(CUTS)('the only holder is out of reach of one host, with %s', async (_what, separate) => {
  const scene = await openScene();
  await scene.allRight(['peer1']);
  await separate('peer1', 'peer2');
  // Who is out of reach of the holder reads the origin: that is all it can do.
  expect(await scene.allRight(['peer2'])).toBeLessThanOrEqual(1.1);
  expect(await scene.allRight(['peer3', 'peer4'])).toBeLessThanOrEqual(0.1);
});

test('a parent that gives a byte now and then, while another has all of it', async () => {
  const scene = await openScene();
  await scene.allRight(['peer1', 'peer2']);
  onTestFinished(async () => {
    await run([NETLAB, 'rate', '1', 'none']);
  });
  await run([NETLAB, 'rate', '1', '16kbit']);
  expect(await scene.allRight(['peer3', 'peer4'])).toBeLessThanOrEqual(0.1);
});

test('the scheduler, and a host that has pieces which nobody else has, are killed in mid-download', async () => {
  const scene = await openScene({}, 256 * MIB);
  const others = ALL.slice(1);
  const lost = scene.swarm.get('peer1', scene.url, { digest: scene.digest });
  const copies = await scene.allRight(others, async () => {
    await scene.swarm.holds('peer2', 64 * MIB);
    // Its client too, which would read all of it by itself.
    lost.signal('SIGKILL');
    await Promise.all([scene.swarm.kill('peer1'), scene.swarm.kill('scheduler')]);
  });
  await lost.done;
  expect(copies).toBeLessThanOrEqual(1.3);
});

test('what happens is told: status and readyz name a refused epoch', async () => {
  const scene = await openScene();
  const nats = await connect({ servers: scene.swarm.natsUrl });
  const partitions = Array.from({ length: 64 }, (_, partition) => partition);
  nats.publish('shoal.v1.census', encode({ epoch: Number.MAX_SAFE_INTEGER, partitions, schedulerKeys: [] }));
  await nats.drain();
  await until('the status of a host to tell of it', async () => {
    const status = await startCommand([...SHOAL, 'status', '--dir', scene.swarm.dirOf('peer1')]).done;
    return /epoch/.test(status.stdout) || undefined;
  });
});
