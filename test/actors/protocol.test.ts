import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { packHashes } from '../../core/hash-page.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import type { LeaseSet } from '../../core/sync-messages.ts';
import type { SimHost } from '../../sim/host.ts';
import { createSimulation, type Simulation } from '../../sim/world.ts';
import { MemoryStore } from '../../transport/memory-store.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { delivered, digestOf, MIB, URL_A } from '../sim/scene.ts';
import { PIECE, Puppet } from './puppet.ts';

const TASK = `sha256-${'ab'.repeat(32)}` as TaskId;
const FOUR = { length: 4 * PIECE, pieceLength: PIECE };
/** Bits of four pieces. */
const bits = (value: number) => new Uint8Array([value << 4]);
const SOURCES = [{ url: URL_A, credentials: false }];

function hashes(pieces: readonly number[]): Uint8Array {
  return packHashes(
    pieces.map((piece) => ({ piece, hash: createHash('sha256').update(String(piece)).digest() })),
  );
}

async function scene(options: { seed?: number; hosts?: number } = {}): Promise<Simulation> {
  const sim = createSimulation({
    seed: options.seed ?? 1,
    hosts: options.hosts ?? 0,
    linkBytesPerSec: 2 * MIB,
  });
  sim.start();
  await sim.run(2_500);
  return sim;
}

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

/** A holder of pieces 0 and 1 whose hashes the scheduler believes. */
async function holder(sim: Simulation): Promise<Puppet> {
  const puppet = new Puppet(sim, 1);
  await puppet.announce();
  await puppet.set(TASK, { seq: 5, have: bits(0b1100), hashes: hashes([0, 1, 2, 3]), wants: false, ...FOUR });
  return puppet;
}

test('an unknown base is answered full, and the whole bitfield is taken after it', async () => {
  const sim = await scene();
  const puppet = new Puppet(sim, 1);
  await puppet.announce();
  const all = hashes([0, 1, 2]);
  expect((await puppet.sync(TASK, { seq: 9, base: 8, added: [2], ...FOUR })).status).toBe('full');
  expect((await puppet.sync(TASK, { seq: 10, have: bits(0b1010), hashes: all, ...FOUR })).status).toBe('ok');
  expect((await puppet.sync(TASK, { seq: 11, base: 10, added: [1], ...FOUR })).status).toBe('ok');
  expect(await puppet.held(TASK)).toBe(3);
});

test('a sync that comes twice, or late, changes nothing', async () => {
  const sim = await scene();
  const puppet = await holder(sim);
  await puppet.set(TASK, { seq: 6, base: 5, added: [2], ...FOUR });
  await puppet.set(TASK, { seq: 6, base: 5, added: [3], ...FOUR });
  await puppet.set(TASK, { seq: 3, have: bits(0), ...FOUR });
  expect(await puppet.held(TASK)).toBe(3);
});

test('a new incarnation replaces all that was known of a host', async () => {
  const sim = await scene();
  const puppet = await holder(sim);
  expect(await puppet.held(TASK)).toBe(2);
  await puppet.set(TASK, { incarnation: 2, seq: 1, have: bits(0b0001), ...FOUR });
  expect(await puppet.held(TASK)).toBe(1);
});

test('a lease that the host never saw is only repeated; one it has seen and dropped is free again', async () => {
  const sim = await scene();
  await holder(sim);
  const child = new Puppet(sim, 2);
  await child.announce();
  const first = await child.set(TASK, { seq: 1, have: bits(0), ...FOUR });
  expect(first.leases.map(({ first: piece }) => piece).sort()).toEqual([0, 1]);
  const { epoch } = first;
  const again = await child.set(TASK, { seq: 2, base: 1, freeSlots: 0, seen: { epoch, number: 0 }, ...FOUR });
  expect(again.leases).toEqual(first.leases);
  const seen = { epoch, number: again.number };
  const freed = await child.set(TASK, { seq: 3, base: 2, freeSlots: 0, queued: [0], seen, ...FOUR });
  expect(freed.leases.map(({ first: piece }) => piece)).toEqual([0]);
});

test('whom to ask when adrift is told as soon as there is somebody, and now and then again', async () => {
  const sim = await scene();
  const child = new Puppet(sim, 2);
  await child.announce();
  const told: number[] = [];
  const sync = async (seq: number) => {
    const more = seq === 1 ? { have: bits(0) } : { base: seq - 1 };
    const { parents } = await child.set(TASK, { seq, wants: false, ...more, ...FOUR });
    told.push(parents.length);
  };
  for (let seq = 1; seq <= 2; seq += 1) await sync(seq);
  const { hostId } = await holder(sim);
  for (let seq = 3; seq <= 17; seq += 1) await sync(seq);
  expect(told).toEqual([0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  const { parents } = await child.set(TASK, { seq: 18, base: 17, ...FOUR });
  expect(parents.map((parent) => parent.hostId)).toEqual([hostId]);
});

test('two hosts that may read the origin are never leased the same piece of it', async () => {
  const sim = await scene();
  const readers = [1, 2, 3].map((number) => new Puppet(sim, number));
  const pieces: number[] = [];
  for (const reader of readers) {
    await reader.announce();
    const set = await reader.set(TASK, { have: bits(0), mayReadOrigin: true, sources: SOURCES, ...FOUR });
    for (const { first, count } of set.leases) {
      for (let piece = first; piece < first + count; piece += 1) pieces.push(piece);
    }
  }
  expect(new Set(pieces).size).toBe(pieces.length);
  expect(pieces.length).toBeGreaterThan(0);
});

test('a hash is not believed of a host that was not to read the piece', async () => {
  const sim = await scene();
  const puppet = await holder(sim);
  const liar = new Puppet(sim, 2);
  await liar.announce();
  const { epoch } = await liar.set(TASK, { seq: 1, have: bits(0), ...FOUR });
  const wrong = packHashes([0, 1, 2, 3].map((piece) => ({ piece, hash: new Uint8Array(32).fill(9) })));
  const seen = { epoch, number: 1 };
  const reader = { ...FOUR, mayReadOrigin: true, sources: SOURCES };
  const { leases } = await puppet.set(TASK, { seq: 6, base: 5, ...reader });
  expect(leases).toMatchObject([{ first: 2, count: 1, parent: 'origin' }, { first: 3 }]);
  await puppet.set(TASK, { seq: 7, base: 6, added: [2], hashes: hashes([2]), ...reader });
  const set = await liar.set(TASK, {
    seq: 3,
    base: 1,
    added: [2],
    hashes: wrong,
    adrift: true,
    seen,
    ...FOUR,
  });
  expect(Buffer.from(set.hashes ?? []).includes(Buffer.alloc(32, 9))).toBe(false);
  // What the holder had not been leased either falls with the lie; what it read stays.
  expect(await puppet.held(TASK)).toBe(1);
});

test('a lease set of an older epoch, and one older than one accepted, is refused by the host', async () => {
  const sim = await scene({ hosts: 2 });
  const content = sim.publish(URL_A, 4 * MIB);
  const get = host(sim, 0).get({ resource: URL_A, digest: digestOf(content) });
  await sim.run(500);
  const taskId = digestOf(content).replace(':', '-') as TaskId;
  const intruder = sim.place.hub.bus('intruder');
  const set = (epoch: number, number: number): LeaseSet => ({
    epoch,
    number,
    leases: [],
    originAtOnce: 1,
    parents: [],
    claim: 7,
    hashFrom: 0,
    sources: [],
    audience: 'public',
    state: 'failed',
    error: { code: 'ERR_INTERNAL', message: 'a word of the past', retryable: false },
    ranges: true,
  });
  const { hostId } = host(sim, 0);
  const epoch = sim.scheduler.epochOf(partitionOf(taskId));
  for (const word of [set(epoch - 1, 1_000_000), set(epoch, 1)]) {
    intruder.publish(SUBJECTS.leases, { hostId }, { taskId, set: word });
    await sim.run(50);
    expect(get.state).toBe('running');
  }
  await sim.run(30_000, () => get.state !== 'running');
  expect(await delivered(get, content)).toBe(true);
});

test('hosts join though announcements and their answers are lost, doubled and overtaken', async () => {
  const sim = createSimulation({ seed: 4, hosts: 6, linkBytesPerSec: MIB });
  Object.assign(sim.faults, { drop: 0.4, duplicate: 0.3, delay: 0.3, delayMs: 400 });
  sim.start();
  await sim.run(60_000, () => sim.hosts.every(({ state }) => state === 'announced'));
  expect(sim.hosts.map(({ state }) => state)).toEqual(Array.from({ length: 6 }, () => 'announced'));
});

test('all hosts resolve a URL to one task though every other message is lost or doubled', async () => {
  const sim = await scene({ seed: 5, hosts: 5 });
  const content = sim.publish(URL_A, MIB);
  Object.assign(sim.faults, { drop: 0.3, duplicate: 0.3, delay: 0.3, delayMs: 300 });
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A }));
  await sim.run(120_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  expect(new Set(gets.map(({ result }) => result?.taskId)).size).toBe(1);
});

test('the next download after an update sees the update', async () => {
  const sim = await scene({ hosts: 2 });
  const old = sim.publish(URL_A, MIB);
  const first = host(sim, 0).get({ resource: URL_A });
  await sim.run(20_000, () => first.state !== 'running');
  const fresh = sim.publish(URL_A, MIB, { etag: '"two"', bytes: new Uint8Array(MIB).fill(7) });
  const second = host(sim, 1).get({ resource: URL_A });
  await sim.run(20_000, () => second.state !== 'running');
  expect(await delivered(first, old)).toBe(true);
  expect(await delivered(second, fresh)).toBe(true);
  expect(second.result?.taskId).not.toBe(first.result?.taskId);
});

/** One host has all, its scheduler restarts `afterMs` later, and the others ask by digest, or by URL. */
async function afterRestart(afterMs: number, by: 'digest' | 'url' = 'digest') {
  const sim = await scene({ hosts: 4 });
  const content = sim.publish(URL_A, 3 * MIB);
  const asked = by === 'url' ? { resource: URL_A } : { resource: URL_A, digest: digestOf(content) };
  const first = host(sim, 0).get(asked);
  await sim.run(20_000, () => first.state !== 'running');
  await sim.run(afterMs);
  const bytes = sim.origin.bodyBytes;
  sim.scheduler.restart();
  await sim.run(200);
  const resource = by === 'url' ? URL_A : digestOf(content);
  const others = [1, 2, 3].map((index) => host(sim, index).get({ resource }));
  await sim.run(30_000, () => others.every(({ state }) => state !== 'running'));
  const right = await Promise.all(others.map((get) => delivered(get, content)));
  return { right: right.every(Boolean), read: sim.origin.bodyBytes - bytes };
}

test('a restarted scheduler knows by log and census who holds what, and leases nothing of it from the origin', async () => {
  expect(await afterRestart(1_500)).toEqual({ right: true, read: 0 });
});

test('a restarted scheduler knows by the log what a URL points to: the origin is only asked whether it still is so', async () => {
  expect(await afterRestart(1_500, 'url')).toEqual({ right: true, read: 0 });
});

test('content is found again though the scheduler restarts in the moment it is whole', async () => {
  for (const afterMs of [0, 20, 100]) expect(await afterRestart(afterMs)).toEqual({ right: true, read: 0 });
});

test('a scheduler that lost its log asks those who hold all for the hashes, and reads nothing again', async () => {
  const lost = vi.spyOn(MemoryStore.prototype, 'readLast').mockReturnValue([]);
  try {
    expect(await afterRestart(1_500)).toEqual({ right: true, read: 0 });
    // A holder at rest for longer than a minute has no actor any more.
    expect(await afterRestart(70_000)).toEqual({ right: true, read: 0 });
  } finally {
    lost.mockRestore();
  }
});

test('a scheduler born in mid-transfer learns from the hosts and goes on without reading the origin again', async () => {
  const sim = await scene({ seed: 3, hosts: 5 });
  const content = sim.publish(URL_A, 6 * MIB);
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A }));
  await sim.run(1_500);
  sim.scheduler.restart();
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  // What the hosts read before it was born is proven by one piece of each.
  expect(sim.origin.bodyBytes).toBeLessThanOrEqual(content.bytes.length + 5 * PIECE);
});

test('a scheduler born in mid-transfer has nothing read again where the whole is compared with a digest', async () => {
  const sim = await scene({ seed: 3, hosts: 5 });
  const content = sim.publish(URL_A, 6 * MIB);
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(1_500);
  sim.scheduler.restart();
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  expect(sim.origin.bodyBytes).toBe(content.bytes.length);
});

test('hosts that wait for a scheduler just born are given the origin the moment it has heard all', async () => {
  const sim = await scene({ seed: 3, hosts: 2 });
  const content = sim.publish(URL_A, 6 * MIB);
  sim.scheduler.restart();
  const bornMs = sim.clock.now();
  await sim.run(150);
  const gets = sim.hosts.map((one) => one.get({ resource: URL_A }));
  await sim.run(20_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content)).toBe(true);
  // Each host resolves the URL; what follows was leased.
  const leasedMs = (sim.origin.requests[2]?.atMs ?? 0) - bornMs;
  expect(leasedMs).toBeGreaterThanOrEqual(1_000);
  expect(leasedMs).toBeLessThan(1_050);
});

const SECRET = 'hunter2-and-more';
const USER_URL = `http://alice:${SECRET}@origin.test/a`;
const BASIC = `Basic ${Buffer.from(`alice:${SECRET}`).toString('base64')}`;

/** Host 0 has private content, asked for with credentials; all that crossed the bus or was said is kept as text. */
async function secrets(seed: number) {
  const said: string[] = [];
  const keep = (...words: unknown[]) => void said.push(JSON.stringify(words));
  const log = { debug: keep, info: keep, warn: keep, error: keep };
  const sim = createSimulation({ seed, hosts: 3, linkBytesPerSec: 2 * MIB, log });
  const tap = sim.place.hub.bus('tap');
  const never = (message: unknown) => {
    keep(message);
    return new Promise<never>(() => {});
  };
  tap.serve(SUBJECTS.sync, {}, never);
  tap.serve(SUBJECTS.resolve, {}, never);
  tap.subscribe(SUBJECTS.leases, {}, keep);
  tap.subscribe(SUBJECTS.holds, {}, keep);
  const content = sim.publish(URL_A, MIB, { authorization: BASIC });
  sim.start();
  await sim.run(2_500);
  const get = host(sim, 0).get({ resource: USER_URL, digest: digestOf(content) });
  await sim.run(20_000, () => get.state !== 'running');
  return { sim, content, get, said, tap };
}

async function refusal(sim: Simulation, index: number, request: Parameters<SimHost['get']>[0]) {
  const get = host(sim, index).get(request);
  await sim.run(60_000, () => get.state !== 'running');
  return get.error?.code ?? get.state;
}

test('credentials show nowhere: not on the bus, in the log, in events, in the store, nor in requests of other hosts', async () => {
  const { sim, content, get, said, tap } = await secrets(1);
  expect(await delivered(get, content)).toBe(true);
  const other = host(sim, 1).get({ resource: digestOf(content) });
  await sim.run(30_000, () => other.state !== 'running');
  await sim.run(3_000);
  expect(said.length).toBeGreaterThan(5);
  const logged = tap.readLog(SUBJECTS.logCreated, {});
  await sim.run(100);
  const stored = await host(sim, 0).store.open(get.result?.taskId as TaskId);
  const everything = [
    ...said,
    sim.history(),
    JSON.stringify(await logged),
    JSON.stringify(stored?.record),
  ].join('\n');
  for (const secret of [SECRET, BASIC.slice(6), 'alice']) expect(everything).not.toContain(secret);
  const asked = sim.origin.requests.filter(({ headers }) => 'authorization' in headers);
  expect(new Set(asked.map(({ host: name }) => name))).toEqual(new Set(['host-0']));
});

test('private content is refused to a client without credentials by digest, by task id and by URL', async () => {
  const { sim, content, get } = await secrets(2);
  const taskId = get.result?.taskId as TaskId;
  expect(get.result?.path).toBeUndefined();
  for (const index of [0, 1]) {
    expect(await refusal(sim, index, { resource: digestOf(content) })).toBe('ERR_SOURCE_REFUSED');
    expect(await refusal(sim, index, { resource: taskId })).toBe('ERR_SOURCE_REFUSED');
    expect(await refusal(sim, index, { resource: URL_A })).toBe('ERR_SOURCE_REFUSED');
    const wrong = { resource: 'http://alice:guess@origin.test/a', digest: digestOf(content) };
    expect(await refusal(sim, index, wrong)).toBe('ERR_SOURCE_REFUSED');
  }
});

test('private content is given to a client whose own credentials the source lets in, from hosts that hold it', async () => {
  const { sim, content } = await secrets(3);
  const bytes = sim.origin.bodyBytes;
  const other = host(sim, 2).get({ resource: USER_URL, digest: digestOf(content) });
  await sim.run(30_000, () => other.state !== 'running');
  expect(await delivered(other, content)).toBe(true);
  expect(sim.origin.bodyBytes - bytes).toBeLessThan(content.bytes.length / 2);
});
