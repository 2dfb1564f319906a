import { expect, test } from 'vitest';
import type { SimHost } from '../../sim/host.ts';
import { createSimulation } from '../../sim/world.ts';
import { copies, delivered, digestOf, MIB, URL_A, wrongPieces } from './scene.ts';

test('twenty hosts finish with the right content though one crashes and messages are lost', async () => {
  const sim = createSimulation({ seed: 11, hosts: 20, linkBytesPerSec: 2 * MIB });
  const content = sim.publish(URL_A, 3 * MIB + 777);
  sim.faults.drop = 0.02;
  sim.start();
  await sim.run(1_500);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A }));
  await sim.run(900);
  sim.hosts[7]?.crash();
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) {
    expect(get.state).toBe(get.host === sim.hosts[7] ? 'crashed' : 'done');
    if (get.state === 'done') expect(await delivered(get, content)).toBe(true);
    expect(await wrongPieces(get.host, content)).toEqual([]);
  }
  expect(copies(sim, content)).toBeLessThan(1.5);
});

test('a reader in order gets the right bytes while parents crash and messages are lost', async () => {
  const sim = createSimulation({ seed: 21, hosts: 5, linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, 3 * MIB + 5);
  sim.faults.drop = 0.05;
  sim.start();
  await sim.run(2_500);
  for (const host of sim.hosts.slice(1)) host.get({ resource: URL_A });
  const chunks: Uint8Array[] = [];
  const stream = sim.hosts[0]?.stream({ resource: URL_A }, new AbortController().signal);
  let ended = false;
  const reading = (async () => {
    for await (const chunk of stream ?? []) chunks.push(chunk.slice());
  })().finally(() => {
    ended = true;
  });
  sim.at(1_000, () => sim.hosts[1]?.crash());
  sim.at(2_000, () => sim.hosts[2]?.crash());
  await sim.run(60_000, () => ended);
  await reading;
  expect(Buffer.compare(Buffer.concat(chunks), content.bytes)).toBe(0);
});

test('a host that leaves in good order is missed by nobody', async () => {
  const sim = createSimulation({ seed: 22, hosts: 4, linkBytesPerSec: 2 * MIB });
  const content = sim.publish(URL_A, 2 * MIB);
  sim.start();
  await sim.run(2_500);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A }));
  await sim.run(700);
  let left = false;
  void sim.hosts[1]?.stop().then(() => {
    left = true;
  });
  await sim.run(60_000, () => left && gets.every(({ state }) => state !== 'running'));
  for (const get of gets) if (get.host !== sim.hosts[1]) expect(await delivered(get, content)).toBe(true);
  expect(sim.events.some(({ type }) => type === 'host.drained')).toBe(true);
});

test('without faults every byte leaves the origin once and a download ends near the bound', async () => {
  const sim = createSimulation({ seed: 1, hosts: 8, linkBytesPerSec: 4 * MIB });
  const content = sim.publish(URL_A, 8 * MIB);
  sim.start();
  await sim.run(1_500);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A }));
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  expect(gets.map(({ state }) => state)).toEqual(gets.map(() => 'done'));
  expect(copies(sim, content)).toBe(1);
  const plainMs = 2_000;
  const slowestMs = Math.max(...gets.map(({ endedMs = 0 }) => endedMs - 1_500));
  expect(slowestMs / plainMs).toBeLessThan(1.75);
});

/** Pieces that a host has on disk. */
async function held(host: SimHost): Promise<number> {
  const [row] = host.store.rows();
  return row === undefined ? 0 : ((await host.store.open(row.taskId))?.have.count ?? 0);
}

test('a get that is given up and asked for again goes on at once', async () => {
  const sim = createSimulation({ seed: 3, hosts: 2, linkBytesPerSec: MIB });
  sim.start();
  await sim.run(2_000);
  const content = sim.publish(URL_A, 24 * MIB);
  const [host] = sim.hosts;
  if (host === undefined) throw new Error('no host');
  const gets = sim.hosts.map((each) => each.get({ resource: URL_A }));
  await sim.run(10_000);
  for (const get of gets) get.abort.abort();
  await sim.run(1_000);
  const before = await held(host);
  const again = host.get({ resource: URL_A });
  await sim.run(2_000);
  expect(await held(host), 'pieces after two seconds').toBeGreaterThan(before);
  expect(await sim.run(60_000, () => again.state !== 'running')).toBe(true);
  expect(await delivered(again, content)).toBe(true);
});

test('who gives up while asking the origin leaves that to the next host at once', async () => {
  const sim = createSimulation({ seed: 3, hosts: 2, linkBytesPerSec: 10 * MIB, latencyMs: 200 });
  sim.start();
  await sim.run(2_000);
  const content = sim.publish(URL_A, MIB);
  const [one, other] = sim.hosts;
  const ask = { resource: URL_A, digest: digestOf(content) };
  const first = one?.get(ask);
  expect(await sim.run(5_000, () => sim.origin.requests.length > 0)).toBe(true);
  first?.abort.abort();
  const second = other?.get(ask);
  if (second === undefined) throw new Error('no host');
  expect(await sim.run(4_000, () => second.state !== 'running')).toBe(true);
  expect(await delivered(second, content)).toBe(true);
});
