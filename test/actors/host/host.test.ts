import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { HostActor } from '../../../actors/host/host.ts';
import { Membership } from '../../../actors/host/membership.ts';
import { Peers } from '../../../actors/host/peers.ts';
import type { HostWorld } from '../../../actors/host/world.ts';
import type { Holds } from '../../../core/host-messages.ts';
import {
  hostIdFrom,
  PARTITIONS,
  partitionOf,
  type SchedulerId,
  schedulerIdFrom,
  type TaskId,
} from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { silentHostMetrics } from '../../../core/metrics.ts';
import type { LeaseSet } from '../../../core/sync-messages.ts';
import type { DataPlane } from '../../../dataplane/data-plane.ts';
import type { Origin } from '../../../origins/origin.ts';
import { SimClock } from '../../../sim/clock.ts';
import { SimRandom } from '../../../sim/random.ts';
import { createMemoryStore } from '../../../storage/memory-store.ts';
import { createMemoryHub } from '../../../transport/memory-bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';

const HOST = hostIdFrom(new Uint8Array(16).fill(1));
const OTHER = { hostId: hostIdFrom(new Uint8Array(16).fill(2)), ip: '10.0.0.2', port: 4000 };
const BYTES = Buffer.alloc(8, 7);
const TASK = `sha256-${createHash('sha256').update(BYTES).digest('hex')}` as TaskId;
const RETRY_MS = 500;
const RETRY_MOST_MS = 5_000;
const DUE_MS = 2_000;
const JITTER_MS = 200;

/** One real host in virtual time, and a scheduler that is only its words. */
async function hostScene(options: { connected?: boolean; role?: HostWorld['role'] } = {}) {
  const clock = new SimClock();
  const random = new SimRandom(1);
  const hub = createMemoryHub({ clock, random: random.fork('hub'), latencyMs: () => 1 });
  const scheduler = hub.bus('scheduler');
  const heard = { announced: [] as number[], alive: [] as number[], holds: [] as Holds[] };
  const answers = { answering: true, aliveEveryMs: 1_000, tokenMs: 600_000, censusWithinMs: JITTER_MS };
  const told: string[] = [];
  scheduler.serve(SUBJECTS.announce, {}, () => {
    heard.announced.push(clock.now());
    if (!answers.answering) return new Promise(() => {});
    return {
      token: 'token',
      tokenExpiresAtMs: clock.wall() + answers.tokenMs,
      schedulerKeys: [],
      addressBook: [OTHER],
      epoch: 1,
      aliveEveryMs: answers.aliveEveryMs,
      censusWithinMs: answers.censusWithinMs,
    };
  });
  scheduler.subscribe(SUBJECTS.alive, {}, () => void heard.alive.push(clock.now()));
  scheduler.subscribe(SUBJECTS.holds, {}, (holds, { to }) => {
    heard.holds.push(holds);
    told.push(to);
  });
  const store = createMemoryStore({ clock });
  const stored = await store.create({
    taskId: TASK,
    length: 8,
    pieceLength: 8,
    audience: 'public',
    sources: [],
  });
  await stored.writer(0, 1, (piece, hash, length) => stored.commit(piece, hash, length)).write(BYTES);
  await stored.seal();
  const bus = hub.bus(HOST, { connected: options.connected ?? true });
  const events: { readonly type: string; readonly data: unknown }[] = [];
  const logs: string[] = [];
  const write = (_: unknown, message: string) => void logs.push(message);
  const world: HostWorld = {
    clock,
    random,
    bus,
    emit: (type, _subject, data) => void events.push({ type, data }),
    log: { debug: write, info: write, warn: write, error: write },
    hostId: HOST,
    incarnation: 1,
    role: options.role ?? 'normal',
    store,
    dataPlane: {} as DataPlane,
    origin: { allows: () => true } as unknown as Origin,
    metrics: silentHostMetrics,
    originReaders: 'all',
    starvedAfterMs: LIMITS.starvedAfterMs,
    alone: false,
  };
  const membership = new Membership(clock);
  const peers = new Peers(world, membership);
  const trust = { publicKey: new Uint8Array(32), accept: vi.fn(), learnKeys: vi.fn() };
  const onBook = vi.fn();
  const actor = new HostActor({
    ...{ world, membership, peers, trust, onBook },
    describe: () => ({
      ...{ ip: '10.0.0.1', port: 4000, role: world.role, version: 'test' },
      ...{ uploading: 0, downloading: 0, slotsUp: 12, slotsDown: 24 },
    }),
  });
  actor.start();
  const run = (ms: number) => clock.run(clock.now() + ms);
  const census = (epoch: number, schedulerId?: SchedulerId) => {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    scheduler.publish(SUBJECTS.census, {}, { epoch, partitions, schedulerKeys: [], schedulerId });
  };
  const push = (more: Partial<LeaseSet>) => {
    const set: LeaseSet = {
      ...{ epoch: 1, number: 1, leases: [], originAtOnce: 1, parents: [], claim: 1, hashFrom: 0 },
      ...{ sources: [], audience: 'public', state: 'distributing', ...more },
    };
    scheduler.publish(SUBJECTS.leases, { hostId: HOST }, { taskId: TASK, set });
  };
  return {
    ...{ actor, answers, bus, census, clock, events, heard, logs, membership, onBook, peers, push, run },
    ...{ scheduler, store, told, trust },
  };
}

describe('a host joins', () => {
  test('it announces itself once NATS is there, and not before', async () => {
    const { actor, bus, heard, logs, run } = await hostScene({ connected: false });
    await run(3_000);
    expect(heard.announced).toEqual([]);
    expect(logs).toEqual([]);
    expect(actor.state).toBe('connecting');
    bus.setConnected(true);
    await run(10);
    expect(heard.announced).toHaveLength(1);
    expect(actor.state).toBe('announced');
  });

  test('a clock that is far from the scheduler’s is said to be, once', async () => {
    const { logs, run, answers } = await hostScene();
    // A token that ends ten minutes from now was given fifty minutes ago, by this clock.
    answers.tokenMs = 600_000;
    await run(60_000);
    const clock = logs.filter((message) => message.startsWith('the clock of this host is'));
    expect(clock).toHaveLength(1);
    expect(clock[0]).toContain('50 min ahead of the scheduler');
  });

  test('it takes what the scheduler gives, says so once, and tells what it holds in a moment', async () => {
    const { actor, heard, logs, membership, onBook, run, trust } = await hostScene();
    const announced = actor.announced(new AbortController().signal);
    await run(5);
    await announced;
    expect(trust.accept).toHaveBeenCalledOnce();
    expect(membership.addressBook).toEqual([OTHER]);
    expect(onBook).toHaveBeenCalledWith([OTHER]);
    expect(logs.filter((message) => message === 'joined the swarm')).toHaveLength(1);
    await run(JITTER_MS);
    expect(heard.holds).toHaveLength(1);
    expect(heard.holds[0]?.tasks).toEqual([{ taskId: TASK, audience: 'public', length: 8, pieceLength: 8 }]);
    await run(5_000);
    expect(heard.holds).toHaveLength(1);
    expect(logs.filter((message) => message === 'joined the swarm')).toHaveLength(1);
  });

  test('a question that nobody answers is asked again and again, waited for longer each time, and later', async () => {
    const { actor, answers, heard, logs, run } = await hostScene();
    answers.answering = false;
    await run(60_000);
    const gaps = heard.announced.slice(1).map((ms, index) => ms - (heard.announced[index] ?? 0));
    const [first = 0, second = 0, ...later] = gaps;
    const isAfter = (gapMs: number, timeoutMs: number, retryMs: number) =>
      gapMs >= timeoutMs + retryMs / 2 && gapMs <= timeoutMs + 1.5 * retryMs;
    expect(isAfter(first, LIMITS.syncTimeoutMs, RETRY_MS)).toBe(true);
    expect(isAfter(second, 2 * LIMITS.syncTimeoutMs, 2 * RETRY_MS)).toBe(true);
    const last = later.slice(-4);
    expect(last.every((gapMs) => isAfter(gapMs, LIMITS.syncTimeoutMostMs, RETRY_MOST_MS))).toBe(true);
    // Those who failed together do not try again together.
    expect(new Set(last).size).toBe(last.length);
    expect(logs).toContain('announce not answered');
    expect(actor.state).toBe('connecting');
    answers.answering = true;
    await run(LIMITS.syncTimeoutMostMs + 1.5 * RETRY_MOST_MS);
    expect(actor.state).toBe('announced');
  });

  test('one that waits to ask again asks when a scheduler is born', async () => {
    const { actor, answers, census, heard, run } = await hostScene();
    answers.answering = false;
    await run(30_000);
    const asked = heard.announced.length;
    while (heard.announced.length === asked) await run(10);
    // It has given up, and waits for more than two seconds.
    await run(LIMITS.syncTimeoutMostMs + 10);
    answers.answering = true;
    census(7);
    await run(JITTER_MS + 10);
    expect(actor.state).toBe('announced');
  });

  test('it asks again in time: at half the life of its token, and soon where the address book is small', async () => {
    const { answers, heard, run } = await hostScene();
    await run(3 * DUE_MS);
    const gaps = heard.announced.slice(1).map((ms, index) => ms - (heard.announced[index] ?? 0));
    expect(gaps.every((ms) => Math.abs(ms - DUE_MS) < 10)).toBe(true);
    expect(gaps.length).toBe(2);
    answers.tokenMs = 2_400;
    await run(DUE_MS);
    const before = heard.announced.length;
    await run(2 * 1_200 + 10);
    expect(heard.announced.length - before).toBe(2);
  });

  test('a signal ends the waiting for a scheduler', async () => {
    const { actor, run } = await hostScene({ connected: false });
    const waiting = new AbortController();
    const announced = actor.announced(waiting.signal);
    await run(100);
    waiting.abort(new Error('no longer'));
    await expect(announced).rejects.toThrow('no longer');
  });
});

describe('a member', () => {
  test('says every second that it lives, and less often where a scheduler asks for that', async () => {
    const { answers, heard, run } = await hostScene();
    await run(5_100);
    // Once a second, and when it joined, and when it told what it holds.
    expect(heard.alive.length).toBe(8);
    answers.aliveEveryMs = 3_000;
    await run(DUE_MS + 1_000);
    heard.alive.length = 0;
    await run(9_000);
    expect(heard.alive.length).toBe(3);
  });

  test('announces itself to a scheduler just born and tells it what it holds, one that it knows changes nothing', async () => {
    const { census, clock, heard, run } = await hostScene();
    await run(1_000);
    const bornMs = clock.now();
    census(7);
    await run(JITTER_MS + 10);
    expect(heard.holds).toHaveLength(2);
    // What it holds goes first: its token is still good.
    await run(6 * JITTER_MS);
    expect(heard.announced.at(-1)).toBeGreaterThanOrEqual(bornMs);
    const before = heard.announced.length;
    census(7);
    census(6);
    await run(JITTER_MS + 10);
    expect(heard.holds).toHaveLength(3);
    expect(heard.announced.length - before).toBeLessThanOrEqual(1);
  });

  test('tells what it holds to the scheduler that asked, in one go, and to one that does not say who it is by partition', async () => {
    const { census, run, told } = await hostScene();
    await run(1_000);
    expect(told).toEqual([String(partitionOf(TASK))]);
    const asker = schedulerIdFrom(new Uint8Array(8).fill(9));
    census(7, asker);
    await run(JITTER_MS + 10);
    expect(told.at(-1)).toBe(asker);
    census(8);
    await run(JITTER_MS + 10);
    expect(told.at(-1)).toBe(String(partitionOf(TASK)));
  });

  test('answers a census within the time that a scheduler gave it, so that thousands do not answer at once', async () => {
    const withinMs = 20_000;
    const answeredMs: number[] = [];
    const { answers, census, clock, heard, run } = await hostScene();
    answers.censusWithinMs = withinMs;
    await run(DUE_MS + 100);
    for (let epoch = 7; epoch < 15; epoch += 1) {
      const bornMs = clock.now();
      const before = heard.holds.length;
      census(epoch);
      while (heard.holds.length === before && clock.now() < bornMs + withinMs + 100) await run(10);
      answeredMs.push(clock.now() - bornMs);
    }
    expect(Math.max(...answeredMs)).toBeLessThan(withinMs + 100);
    expect(answeredMs.filter((ms) => ms > 1_000).length).toBeGreaterThan(5);
  });

  test('without NATS it is isolated, and it is back when a scheduler accepted it, at once', async () => {
    const { actor, bus, clock, events, heard, logs, run } = await hostScene();
    await run(1_000);
    const holds = heard.holds.length;
    bus.setConnected(false);
    expect(actor.state).toBe('isolated');
    expect(logs.at(-1)).toBe('nats is out of reach; running downloads go on');
    // Its next announcement fails by now, again and again.
    await run(DUE_MS + 100);
    expect(logs).toContain('announce not answered');
    expect(actor.state).toBe('isolated');
    const backMs = clock.now();
    bus.setConnected(true);
    expect(actor.state).toBe('isolated');
    await run(10);
    expect(heard.announced.at(-1)).toBeLessThanOrEqual(backMs + 5);
    expect(actor.state).toBe('announced');
    expect(events.filter(({ type }) => type === 'host.isolated')).toHaveLength(1);
    const [{ data } = { data: {} }] = events;
    expect(data).toMatchObject({ hostId: HOST });
    expect(logs.slice(-2)).toEqual(['joined the swarm', 'nats is back']);
    await run(JITTER_MS);
    expect(heard.holds.length).toBe(holds + 1);
  });

  test('one whose scheduler was away when NATS came back asks when one is born', async () => {
    const { actor, answers, bus, census, heard, run } = await hostScene();
    await run(1_000);
    bus.setConnected(false);
    answers.answering = false;
    bus.setConnected(true);
    await run(30_000);
    const asked = heard.announced.length;
    while (heard.announced.length === asked) await run(10);
    await run(LIMITS.syncTimeoutMostMs + 10);
    expect(actor.state).toBe('isolated');
    answers.answering = true;
    census(7);
    await run(JITTER_MS + 10);
    expect(actor.state).toBe('announced');
  });

  test('one that is cut off right after it was announced announces itself anew', async () => {
    const { actor, bus, clock, heard, run } = await hostScene();
    await run(100);
    bus.setConnected(false);
    await run(100);
    const backMs = clock.now();
    bus.setConnected(true);
    await run(10);
    expect(heard.announced.at(-1)).toBeGreaterThanOrEqual(backMs);
    expect(actor.state).toBe('announced');
  });

  test('drops what it is told to, stops its peer, and tells the scheduler that it is gone', async () => {
    const { events, heard, peers, push, run, scheduler, store } = await hostScene();
    await run(500);
    push({});
    await run(100);
    expect(peers.get(TASK)?.state).toBe('serving');
    scheduler.publish(SUBJECTS.evict, { hostId: HOST }, { taskId: TASK, reason: 'test' });
    await run(100);
    expect(peers.get(TASK)?.state).toBe('left');
    expect(store.row(TASK)).toBeUndefined();
    expect(heard.holds.at(-1)).toMatchObject({ tasks: [], gone: [TASK] });
    expect(events.at(-1)?.type).toBe('task.evicted');
  });
});

test('a host that leaves says so once, and no word of the swarm reaches it any more', async () => {
  const { actor, bus, census, events, heard, peers, push, run } = await hostScene();
  await run(1_000);
  census(7);
  await run(2);
  actor.stop();
  actor.stop();
  expect(actor.state).toBe('stopped');
  expect(events.map(({ type }) => type)).toEqual(['host.drained']);
  const before = structuredClone({ ...heard });
  await run(10);
  heard.alive.length = before.alive.length;
  const told = heard.holds.length;
  census(8);
  push({});
  bus.setConnected(false);
  bus.setConnected(true);
  await run(10_000);
  expect(heard.announced.length - before.announced.length).toBeLessThanOrEqual(1);
  expect(heard.alive.length).toBe(before.alive.length);
  expect(heard.holds.length).toBe(told);
  expect(peers.size).toBe(0);
  expect(events).toHaveLength(1);
});
