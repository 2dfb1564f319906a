import { expect, test } from 'vitest';
import { LIMITS } from '../../../../core/limits.ts';
import type { SimHost } from '../../../../sim/host.ts';
import { createSimulation, type Simulation } from '../../../../sim/world.ts';
import { delivered, digestOf, MIB, URL_A, wrongPieces } from '../../../sim/scene.ts';

const START_MS = 3_000;

async function swarm(options: { seed: number; hosts: number }): Promise<Simulation> {
  const sim = createSimulation({ ...options, linkBytesPerSec: MIB });
  sim.start();
  await sim.run(START_MS);
  return sim;
}

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

function when(sim: Simulation, type: string, speaker: SimHost): number {
  return (
    sim.events.find((event) => event.type === type && event.speaker === speaker.hostId)?.atMs ?? Number.NaN
  );
}

test('a first sync that nobody answers within one to two seconds sends the host to the origin', async () => {
  const sim = await swarm({ seed: 1, hosts: 1 });
  const content = sim.publish(URL_A, 2 * MIB);
  sim.scheduler.crash();
  const get = host(sim, 0).get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(20_000, () => get.state !== 'running');
  expect(await delivered(get, content)).toBe(true);
  const adriftMs = when(sim, 'peer.adrift', host(sim, 0)) - START_MS;
  expect(adriftMs).toBeGreaterThanOrEqual(LIMITS.firstSyncMinMs);
  // One more try of a sync may lie between the end of patience and the verdict.
  expect(adriftMs).toBeLessThanOrEqual(LIMITS.firstSyncMaxMs + 300);
  expect(sim.origin.requests.length).toBeGreaterThan(0);
  expect(get.result?.originReasons).toEqual({ adrift: content.bytes.length });
});

test('a peer is adrift three seconds after the last answer, and reads the origin then for what nobody offers', async () => {
  const sim = await swarm({ seed: 2, hosts: 2 });
  const content = sim.publish(URL_A, 6 * MIB);
  const gets = [0, 1].map((index) => host(sim, index).get({ resource: URL_A }));
  await sim.run(1_500);
  const silentMs = sim.clock.now();
  sim.scheduler.crash();
  await sim.run(4_500);
  const adriftMs = when(sim, 'peer.adrift', host(sim, 0));
  expect(adriftMs - silentMs).toBeGreaterThan(LIMITS.adriftAfterMs - 200);
  expect(adriftMs - silentMs).toBeLessThan(LIMITS.adriftAfterMs + 1_400);
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
});

test('an answer without a lease is an answer: a host that waits for others does not go adrift', async () => {
  const sim = createSimulation({ seed: 3, hosts: 4, linkBytesPerSec: 4 * MIB, originBytesPerSec: MIB / 8 });
  sim.start();
  await sim.run(START_MS);
  sim.publish(URL_A, MIB);
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A }));
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  expect(gets.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done']);
  expect(sim.events.filter(({ type }) => type === 'peer.adrift')).toEqual([]);
});

test('an adrift host takes from the hosts of its address book what they hold, and nothing from the origin', async () => {
  const sim = await swarm({ seed: 4, hosts: 3 });
  const content = sim.publish(URL_A, 2 * MIB);
  const first = host(sim, 1).get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(20_000, () => first.state !== 'running');
  const bytes = sim.origin.bodyBytes;
  sim.cutNats(true);
  const second = host(sim, 0).get({ resource: digestOf(content) });
  await sim.run(20_000, () => second.state !== 'running');
  expect(await delivered(second, content)).toBe(true);
  expect(sim.origin.bodyBytes).toBe(bytes);
  expect(second.result?.bytes.peers).toBe(content.bytes.length);
});

test('a digest that no reachable host holds fails adrift with a clear error', async () => {
  const sim = await swarm({ seed: 5, hosts: 2 });
  const content = sim.publish(URL_A, MIB);
  sim.cutNats(true);
  const get = host(sim, 0).get({ resource: digestOf(content) });
  await sim.run(60_000, () => get.state !== 'running');
  expect(get.error?.code).toBe('ERR_DIGEST_NO_SOURCE');
});

test('hosts adrift together read the origin less than once each, and never keep a wrong byte', async () => {
  const sim = await swarm({ seed: 6, hosts: 6 });
  const content = sim.publish(URL_A, 4 * MIB);
  sim.cutNats(true);
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(90_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) {
    expect(await delivered(get, content)).toBe(true);
    expect(await wrongPieces(get.host, content)).toEqual([]);
  }
  expect(sim.origin.bodyBytes / content.bytes.length).toBeLessThan(3);
});

test('wrong bytes of a host are refused adrift as well', async () => {
  const sim = await swarm({ seed: 7, hosts: 3 });
  const content = sim.publish(URL_A, 2 * MIB);
  const first = host(sim, 1).get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(20_000, () => first.state !== 'running');
  const { server } = host(sim, 1);
  if (server) server.lies = true;
  sim.cutNats(true);
  const second = host(sim, 0).get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(60_000, () => second.state !== 'running');
  expect(await wrongPieces(host(sim, 0), content)).toEqual([]);
  expect(await delivered(second, content)).toBe(true);
});

test('when NATS is back the host announces itself, and others find what it fetched adrift', async () => {
  const sim = await swarm({ seed: 8, hosts: 2 });
  const content = sim.publish(URL_A, MIB);
  sim.cutNats(true);
  expect(host(sim, 0).state).toBe('isolated');
  const get = host(sim, 0).get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(30_000, () => get.state !== 'running');
  expect(get.state).toBe('done');
  sim.cutNats(false);
  await sim.run(1_000);
  expect(host(sim, 0).state).toBe('announced');
  expect(sim.events.filter(({ type }) => type === 'host.isolated')).toHaveLength(2);
  const bytes = sim.origin.bodyBytes;
  const other = host(sim, 1).get({ resource: digestOf(content) });
  await sim.run(30_000, () => other.state !== 'running');
  expect(await delivered(other, content)).toBe(true);
  expect(sim.origin.bodyBytes).toBe(bytes);
});
