import { describe, expect, test, vi } from 'vitest';
import { sleep } from '../../core/clock.ts';
import { PARTITIONS } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { SimGet, SimHost } from '../../sim/host.ts';
import type { SimContent } from '../../sim/origin.ts';
import { createSimulation, type Simulation } from '../../sim/world.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { copies, delivered, digestOf, MIB, URL_A } from './scene.ts';

const LENGTH = 16 * MIB;
const ORIGIN_PER_SEC = 8 * MIB;
const PLAIN_MS = (1_000 * LENGTH) / ORIGIN_PER_SEC;
/** What a download may take, whatever goes wrong while its host runs and the origin can be read. */
const MOST_MS = 2 * PLAIN_MS + 15_000;

async function scene(seed: number, hosts: number) {
  const sim = createSimulation({
    seed,
    hosts,
    linkBytesPerSec: 2 * ORIGIN_PER_SEC,
    originBytesPerSec: ORIGIN_PER_SEC,
  });
  const content = sim.publish(URL_A, LENGTH);
  sim.start();
  await sim.run(2_500);
  return { sim, content };
}

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

/** All of them end right and in time; returns the slowest, ms. */
async function endRight(sim: Simulation, gets: readonly SimGet[], content: SimContent): Promise<number> {
  const startMs = sim.clock.now();
  await sim.run(MOST_MS, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content), get.error?.message ?? get.state).toBe(true);
  return Math.max(...gets.map(({ endedMs = 0 }) => endedMs)) - startMs;
}

/** No request gets from one to the others or back, and all of them reach all else. */
function part(sim: Simulation, one: SimHost, ...others: readonly SimHost[]): void {
  const names = others.map(({ name }) => name);
  const request = sim.network.request.bind(sim.network);
  vi.spyOn(sim.network, 'request').mockImplementation((from, to) => {
    const ends = [from.name, to?.name ?? ''];
    const isParted = ends.includes(one.name) && ends.some((end) => names.includes(end));
    return isParted ? 'lost' : request(from, to);
  });
}

/** One host has all of it. */
async function held(sim: Simulation, content: SimContent, by: SimHost): Promise<void> {
  const get = by.get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(30_000, () => get.state !== 'running');
  expect(get.state).toBe('done');
}

function told(sim: Simulation, type: string, by: SimHost): unknown[] {
  return sim.events
    .filter((event) => event.type === type && event.speaker === by.hostId)
    .map(({ data }) => data);
}

test('where the only holder is out of reach from here, the origin is read, and why is said', async () => {
  const { sim, content } = await scene(1, 3);
  await held(sim, content, host(sim, 0));
  part(sim, host(sim, 0), host(sim, 1));
  const get = host(sim, 1).get({ resource: URL_A, digest: digestOf(content) });
  await endRight(sim, [get], content);
  const { unreachable = 0 } = get.result?.originReasons ?? {};
  expect(unreachable / LENGTH).toBeGreaterThan(0.9);
});

test('whoever is out of reach of the only holder takes what it can from a host between', async () => {
  const { sim, content } = await scene(2, 3);
  await held(sim, content, host(sim, 0));
  part(sim, host(sim, 0), host(sim, 1));
  const gets = [1, 2].map((index) => host(sim, index).get({ resource: URL_A, digest: digestOf(content) }));
  await endRight(sim, gets, content);
  expect(copies(sim, content)).toBeLessThanOrEqual(1.6);
});

test.each([
  ['with a digest', 1.1],
  ['without one', 1.3],
])('six hosts that nobody leases anything (%s) share the origin out', async (digested, most) => {
  const { sim, content } = await scene(3, 6);
  const digest = digested === 'with a digest' ? digestOf(content) : undefined;
  sim.scheduler.crash();
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A, ...(digest ? { digest } : {}) }));
  await endRight(sim, gets, content);
  // Each asked the origin for the length itself, and used the first MiB that came along.
  const asked = (gets.length * LIMITS.resolveBytes) / LENGTH;
  expect(copies(sim, content)).toBeLessThanOrEqual(most + asked);
});

test.each([400, 900, 1_500])(
  'a host and the scheduler killed in mid-download, after %i ms: the rest goes on at full speed',
  async (killMs) => {
    const { sim, content } = await scene(4, 5);
    const gets = sim.hosts.map((one) => one.get({ resource: URL_A, digest: digestOf(content) }));
    await sim.run(killMs);
    host(sim, 0).crash();
    sim.scheduler.crash();
    const forMs = await endRight(sim, gets.slice(1), content);
    expect(forMs).toBeLessThan(LIMITS.adriftAfterMs + 2 * PLAIN_MS);
    expect(copies(sim, content)).toBeLessThanOrEqual(1.3);
  },
);

describe('a scheduler that hosts do not believe', () => {
  /** A census in the name of a scheduler that does not exist. */
  function forge(sim: Simulation, epoch: number): void {
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    sim.place.hub.bus('forger').publish(SUBJECTS.census, {}, { epoch, partitions, schedulerKeys: [] });
  }

  test('for an epoch larger than its own has not answered: downloads go on without it, and read the origin once', async () => {
    const { sim, content } = await scene(5, 4);
    forge(sim, sim.place.clock.wall() + 3_600_000);
    await sim.run(100);
    const gets = sim.hosts.map((one) => one.get({ resource: URL_A, digest: digestOf(content) }));
    await endRight(sim, gets, content);
    expect(copies(sim, content)).toBeLessThanOrEqual(1.3);
  });

  test('a forged epoch of a far future is refused, and costs nothing', async () => {
    const { sim, content } = await scene(6, 4);
    forge(sim, 2 ** 53 - 1);
    await sim.run(100);
    for (const one of sim.hosts)
      expect(told(sim, 'scheduler.refused', one)).toMatchObject([{ why: 'ahead' }]);
    const gets = sim.hosts.map((one) => one.get({ resource: URL_A, digest: digestOf(content) }));
    const forMs = await endRight(sim, gets, content);
    expect(forMs).toBeLessThan(2 * PLAIN_MS);
    expect(copies(sim, content)).toBe(1);
    expect(sim.events.filter(({ type }) => type === 'peer.adrift')).toEqual([]);
  });
});

test('a parent that trickles is left while another holds all', async () => {
  const { sim, content } = await scene(7, 3);
  await held(sim, content, host(sim, 0));
  await held(sim, content, host(sim, 1));
  const stream = sim.network.stream.bind(sim.network);
  vi.spyOn(sim.network, 'stream').mockImplementation((options) => {
    if (options.from.name !== host(sim, 0).name) return stream(options);
    let rest = new Uint8Array();
    // One byte a second.
    const pull = async () => {
      await sleep(sim.clock, 1_000);
      if (rest.length === 0) rest = (await options.pull())?.slice() ?? rest;
      const byte = rest.slice(0, 1);
      rest = rest.slice(1);
      return byte.length === 0 ? undefined : byte;
    };
    return stream({ ...options, pull });
  });
  const get = host(sim, 2).get({ resource: URL_A, digest: digestOf(content) });
  const forMs = await endRight(sim, [get], content);
  expect(forMs).toBeLessThan(2 * PLAIN_MS + 5_000);
  expect(copies(sim, content)).toBeLessThanOrEqual(1.1);
});

test('a host whose proofs all others refuse, as its clock is wrong, downloads from the origin', async () => {
  const { sim, content } = await scene(8, 4);
  part(sim, host(sim, 3), ...sim.hosts.slice(0, 3));
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A, digest: digestOf(content) }));
  await endRight(sim, gets, content);
  expect(copies(sim, content)).toBeLessThanOrEqual(2.2);
});
