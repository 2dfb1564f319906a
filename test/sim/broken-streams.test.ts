import { expect, test } from 'vitest';
import { toShoalError } from '../../core/errors.ts';
import type { SimHost } from '../../sim/host.ts';
import type { SimContent } from '../../sim/origin.ts';
import { createSimulation, type Simulation } from '../../sim/world.ts';
import { copies, delivered, MIB, URL_A, wrongPieces } from './scene.ts';

/** What a plain file server gives: no ranges, no ETag, and 304 by the date alone. */
const PLAIN = { etag: undefined, ranges: false, lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' };

async function swarm(hosts: number): Promise<{ sim: Simulation; content: SimContent }> {
  const sim = createSimulation({ seed: 5, hosts, linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, 12 * MIB + 3, PLAIN);
  sim.start();
  await sim.run(2_500);
  return { sim, content };
}

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

/** A get on the first host that its client gives up in the middle. */
async function givenUp(sim: Simulation): Promise<void> {
  const get = host(sim, 0).get({ resource: URL_A });
  await sim.run(6_000);
  get.abort.abort();
  await sim.run(1_000);
  expect(get.state).toBe('failed');
}

test('a get of one stream that was given up in the middle can be got again, on that host and on others', async () => {
  const { sim, content } = await swarm(2);
  await givenUp(sim);
  const again = [host(sim, 0), host(sim, 1)].map((one) => one.get({ resource: URL_A }));
  await sim.run(60_000, () => again.every(({ state }) => state !== 'running'));
  for (const get of again) expect(await delivered(get, content)).toBe(true);
  expect(copies(sim, content)).toBeLessThan(1.6);
});

test('the reader of one stream dies: the others start over from one new stream', async () => {
  const { sim, content } = await swarm(4);
  const reader = host(sim, 0).get({ resource: URL_A });
  await sim.run(500);
  const others = sim.hosts.slice(1).map((one) => one.get({ resource: URL_A }));
  await sim.run(5_000);
  host(sim, 0).crash();
  await sim.run(90_000, () => others.every(({ state }) => state !== 'running'));
  expect(reader.state).toBe('crashed');
  for (const get of others) expect(await delivered(get, content)).toBe(true);
  expect(copies(sim, content)).toBeLessThan(1.6);
});

test('a new stream has other content of the same length and date: nobody gets a mix', async () => {
  const { sim, content } = await swarm(2);
  await givenUp(sim);
  const other = sim.publish(URL_A, content.bytes.length, {
    ...PLAIN,
    bytes: sim.random.fork('other').bytes(content.bytes.length),
  });
  const again = host(sim, 0).get({ resource: URL_A });
  await sim.run(60_000, () => again.state !== 'running');
  expect(await delivered(again, other)).toBe(true);
});

test('a stream whose version is told by an ETag goes on where it is still the same, and starts over where not', async () => {
  for (const changes of [false, true]) {
    const sim = createSimulation({ seed: 6, hosts: 1, linkBytesPerSec: MIB });
    const content = sim.publish(URL_A, 12 * MIB + 3, { etag: '"1"', ranges: false });
    sim.start();
    await sim.run(2_500);
    await givenUp(sim);
    const bytes = sim.random.fork('other').bytes(content.bytes.length);
    const now = changes ? sim.publish(URL_A, bytes.length, { etag: '"2"', ranges: false, bytes }) : content;
    const again = host(sim, 0).get({ resource: URL_A });
    await sim.run(60_000, () => again.state !== 'running');
    expect(await delivered(again, now)).toBe(true);
    if (!changes) expect(await wrongPieces(host(sim, 0), content)).toEqual([]);
  }
});

test.each([
  ['a Last-Modified', { etag: undefined, lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' }],
  ['nothing to tell its version by', { etag: undefined }],
])('ranges without a strong ETag, and %s: four hosts get it whole', async (_, origin) => {
  const sim = createSimulation({ seed: 7, hosts: 4, linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, 5 * MIB + 3, origin);
  sim.start();
  await sim.run(2_500);
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A }));
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  expect(copies(sim, content)).toBeLessThan(2.02);
});

test.each([undefined, '"1"'])(
  'a wrong digest at an origin without ranges (ETag %s) ends after one more read',
  async (etag) => {
    const sim = createSimulation({ seed: 8, hosts: 4, linkBytesPerSec: 10 * MIB });
    const content = sim.publish(URL_A, 12 * MIB + 3, { etag, ranges: false });
    sim.start();
    await sim.run(2_500);
    const ask = { resource: URL_A, digest: `sha256:${'0'.repeat(64)}` };
    const gets = sim.hosts.map((one) => one.get(ask));
    await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
    expect(gets.map(({ state }) => state)).toEqual(['failed', 'failed', 'failed', 'failed']);
    expect(gets.map(({ error }) => toShoalError(error).code)).toEqual(Array(4).fill('ERR_DIGEST_MISMATCH'));
    expect(copies(sim, content)).toBeLessThan(2.02);
    expect(sim.origin.requests.length).toBeLessThan(8);
  },
);
