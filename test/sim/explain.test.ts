import { expect, test } from 'vitest';
import { swarmQueries } from '../../app/swarm-query.ts';
import { ORIGIN_REASONS } from '../../core/origin-reasons.ts';
import type { Explanation } from '../../core/swarm-rows.ts';
import type { SimGet } from '../../sim/host.ts';
import { createSimulation, type Simulation } from '../../sim/world.ts';
import { delivered, digestOf, MIB, URL_A } from './scene.ts';

const SIZE = 6 * MIB;

async function swarm(seed: number, hosts = 4): Promise<Simulation> {
  const sim = createSimulation({ seed, hosts, linkBytesPerSec: 2 * MIB });
  sim.start();
  await sim.run(2_500);
  return sim;
}

/** What `shoal explain` would be told. */
async function explain(sim: Simulation, taskId: string, hostId?: string): Promise<Explanation> {
  const queries = swarmQueries(sim.place.hub.bus('cli'));
  let end: Explanation | Error | undefined;
  queries.explain(taskId, hostId).then(
    (explained) => {
      end = explained;
    },
    (error: Error) => {
      end = error;
    },
  );
  await sim.run(30_000, () => end !== undefined);
  if (end === undefined || end instanceof Error) throw end ?? new Error('nobody answers');
  return end;
}

const over = (gets: readonly SimGet[]) => () => gets.every(({ state }) => state !== 'running');
const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((all, one) => all + one, 0);

/** Bytes add up to the size on each host, each origin byte has one reason, and the time to the time it took. */
function addsUp(explained: Explanation, hosts: number): void {
  expect(explained.hosts).toHaveLength(hosts);
  for (const { bytes, droppedBytes, originReasons, time, durationMs, sources, outcome } of explained.hosts) {
    expect(outcome).toBe('complete');
    expect(bytes.origin + bytes.peers + bytes.local - droppedBytes).toBe(SIZE);
    expect(sum(originReasons)).toBe(bytes.origin);
    for (const reason of Object.keys(originReasons)) expect(ORIGIN_REASONS).toHaveProperty(reason);
    if (time === undefined) continue;
    expect(sum(time)).toBeCloseTo(durationMs, 3);
    expect(sources.reduce((all, source) => all + source.bytes, 0)).toBe(bytes.origin + bytes.peers);
    const origin = sources.find(({ from }) => from === 'origin')?.bytes ?? 0;
    expect(origin).toBe(bytes.origin);
  }
}

test('a cold swarm: the origin is read since nobody has the pieces yet', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, SIZE);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(60_000, over(gets));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  await sim.run(1_000);
  const explained = await explain(sim, gets[0]?.result?.taskId ?? '');
  addsUp(explained, 4);
  expect(explained.heard).toEqual({ scheduler: true, hosts: 4, log: 'read' });
  expect(explained.originReasons).toEqual({ 'no-holder': SIZE });
  expect(explained.bytes.origin).toBe(SIZE);
  expect(explained.hosts.every(({ toldBy }) => toldBy === 'host')).toBe(true);
  // A client is told the same of its own time.
  for (const { result } of gets) {
    expect(sum(result?.time ?? {})).toBeCloseTo(result?.durationMs ?? 0, 3);
  }
});

test('in the middle of a download each host tells how far it is', async () => {
  const sim = await swarm(2);
  const content = sim.publish(URL_A, SIZE);
  const gets = sim.hosts.map((host) => host.get({ resource: digestOf(content) }));
  gets.push(...sim.hosts.map((host) => host.get({ resource: URL_A, digest: digestOf(content) })));
  await sim.run(1_000);
  const explained = await explain(sim, digestOf(content).replace(':', '-'));
  expect(explained.hosts).toHaveLength(4);
  for (const { outcome, bytes, originReasons, durationMs, time } of explained.hosts) {
    expect(outcome).toBe('running');
    expect(sum(originReasons)).toBe(bytes.origin);
    expect(sum(time ?? {})).toBeCloseTo(durationMs, 3);
  }
  const [host] = sim.hosts;
  const one = await explain(sim, explained.taskId, host?.hostId);
  expect(one.hosts.map(({ hostId }) => hostId)).toEqual([host?.hostId]);
});

test('a parent is killed: who failed is told, and why the origin was read again', async () => {
  const sim = await swarm(3);
  const content = sim.publish(URL_A, SIZE);
  const digest = digestOf(content);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A, digest }));
  await sim.run(1_500);
  sim.hosts[3]?.crash();
  const left = gets.slice(0, 3);
  await sim.run(60_000, over(left));
  for (const get of left) expect(await delivered(get, content)).toBe(true);
  await sim.run(6_000);
  const explained = await explain(sim, left[0]?.result?.taskId ?? '');
  addsUp(explained, 3);
  const failures = explained.hosts.flatMap(({ sources }) =>
    sources.flatMap(({ failed }) => Object.keys(failed)),
  );
  expect(failures.length).toBeGreaterThan(0);
  // What it alone had is read again while it is still named as its holder.
  expect(Object.keys(explained.originReasons).sort()).toEqual(['no-holder', 'unreachable']);
});

test('NATS is cut: what was read meanwhile was read adrift', async () => {
  const sim = await swarm(4);
  const content = sim.publish(URL_A, SIZE);
  sim.cutNats(true);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(120_000, over(gets));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  const taskId = gets[0]?.result?.taskId ?? '';
  const [host] = sim.hosts;
  // Each host can tell of itself while nobody else can be asked.
  expect(host?.peers?.delivery(gets[0]?.result?.taskId as never)?.outcome).toBe('complete');
  sim.cutNats(false);
  await sim.run(3_000);
  const explained = await explain(sim, taskId);
  addsUp(explained, 4);
  expect(Object.keys(explained.originReasons)).toEqual(['adrift']);
});

test('after a restart of the scheduler, and with only the log left, the same is told', async () => {
  const sim = await swarm(5);
  const content = sim.publish(URL_A, SIZE);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(1_000);
  sim.scheduler.restart();
  await sim.run(60_000, over(gets));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  await sim.run(2_000);
  const taskId = gets[0]?.result?.taskId ?? '';
  const before = await explain(sim, taskId);
  addsUp(before, 4);
  for (const host of sim.hosts) host.crash();
  sim.scheduler.restart();
  await sim.run(10_000);
  const after = await explain(sim, taskId);
  addsUp(after, 4);
  expect(after.heard.hosts).toBe(0);
  expect(after.hosts.every(({ toldBy }) => toldBy === 'log')).toBe(true);
  expect(after.originReasons).toEqual(before.originReasons);
  expect(after.hosts.map(({ bytes }) => bytes)).toEqual(before.hosts.map(({ bytes }) => bytes));
});

test('without a scheduler hosts alone tell', async () => {
  const sim = await swarm(6, 2);
  const content = sim.publish(URL_A, SIZE);
  const gets = sim.hosts.map((host) => host.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(60_000, over(gets));
  sim.scheduler.crash();
  const explained = await explain(sim, gets[0]?.result?.taskId ?? '');
  addsUp(explained, 2);
  expect(explained.heard).toMatchObject({ scheduler: false, hosts: 2 });
});
