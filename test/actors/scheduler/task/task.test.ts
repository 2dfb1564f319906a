import { describe, expect, test } from 'vitest';
import { TaskActor } from '../../../../actors/scheduler/task/task.ts';
import { TaskLog } from '../../../../actors/scheduler/task-log.ts';
import type { TaskId } from '../../../../core/ids.ts';
import { LIMITS } from '../../../../core/limits.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { hostId } from '../../../scheduling/world.ts';
import { hashes, ONE, PIECE, syncOf, TASK, TWO } from '../scene.ts';
import { bits, FOUR, type Scene, TICK_MS, taskScene } from './scene.ts';

const NOTHING = { agreed: [], differed: [] };
const [PROBE_MS, SAMPLES_MS, SILENT_MS, OVER_MS] = [5_000, 30_000, 5_000, 5_000];
const probed = { length: 4 * PIECE, ranges: true, audience: 'public' as const };
const refusal = { first: 0, count: 0, parent: 'origin' as const, reason: 'origin-unavailable' as const };

describe('a task whose log is being read', () => {
  test('is not put to rest, and does not end', async () => {
    const { events, state, pass } = taskScene({ unread: true });
    await pass(LIMITS.idleActorMs + TICK_MS);
    expect(state()).toBe('pending');
    expect(events).toEqual([]);
  });

  test('is distributed with what the log had', () => {
    const { task, host, events, state } = taskScene({ unread: true });
    const a = host(1);
    task.recover({ epoch: 0, taskId: TASK, sources: [ONE], audience: 'public', atMs: 0, ...FOUR }, []);
    expect(state()).toBe('distributing');
    expect(events).toEqual(['task.created']);
    expect(a.sync().leases).not.toEqual([]);
  });

  test('goes on without where there was nothing', () => {
    const { host, state } = taskScene();
    expect(host(1).sync().probe).toBe(true);
    expect(state()).toBe('resolving');
  });
});

describe('a task of unknown length', () => {
  test('has one host ask the origin, and is recorded and leased once that host tells', async () => {
    const { task, world, host, events, count, state } = taskScene();
    const [a, b] = [host(1), host(2)];
    expect(state()).toBe('pending');
    expect(a.sync()).toMatchObject({ probe: true, state: 'resolving', leases: [] });
    expect(b.sync()).toMatchObject({ state: 'resolving' });
    expect(b.sync().probe).toBeUndefined();
    expect(a.sync().probe).toBe(true);
    expect(events).toEqual([]);
    const set = a.sync({ probed });
    expect(set).toMatchObject({ state: 'distributing', length: 4 * PIECE });
    expect(set.probe).toBeUndefined();
    expect(b.sync().leases).not.toEqual([]);
    expect(events).toEqual(['task.created']);
    expect(await count(world.bus.readLog(SUBJECTS.logCreated, {}))).toBe(1);
    expect(task.shown.row()).toMatchObject({ length: 4 * PIECE, fetching: 2 });
  });

  test.each<[string, (scene: Scene, a: ReturnType<Scene['host']>) => unknown]>([
    ['fails', (_, a) => a.sync({ failures: [refusal], mayReadOrigin: false })],
    ['wants nothing any more', (_, a) => a.sync({ wants: false })],
    ['is gone', ({ task }, a) => task.lose(a.id)],
    ['takes too long', ({ pass }) => pass(1)],
  ])('asks another host where the one that was asked %s', async (_what, ends) => {
    const scene = taskScene();
    const [a, b] = [scene.host(1), scene.host(2)];
    expect(a.sync().probe).toBe(true);
    expect(b.sync().probe).toBeUndefined();
    scene.task.lose(b.id);
    b.sync({ failures: [refusal] });
    await scene.pass(PROBE_MS - 1);
    expect(b.sync().probe).toBeUndefined();
    await ends(scene, a);
    expect(b.sync()).toMatchObject({ probe: true, state: 'resolving' });
  });

  test('has a host ask one origin for the lengths of four tasks at once, and for the next when it told one', () => {
    const { world } = taskScene();
    const tasks = [1, 2, 3, 4, 5].map((number) => {
      const taskId = `sha256-${String(number).repeat(64)}` as TaskId;
      const task = new TaskActor(world, new TaskLog(world), taskId);
      task.recover(undefined, []);
      return task;
    });
    const probes = tasks.map((task) => {
      const reply = task.sync(hostId(1), syncOf(1, {}));
      return reply.status === 'ok' && reply.probe === true;
    });
    expect(probes).toEqual([true, true, true, true, false]);
    tasks[1]?.sync(hostId(1), syncOf(2, { wants: false }));
    expect(tasks[4]?.sync(hostId(1), syncOf(2, {}))).toMatchObject({ probe: true });
  });

  test('says that nobody is asked once the time of the one that was asked is over', async () => {
    const { host, pass, state } = taskScene();
    const a = host(1);
    a.sync();
    await pass(TICK_MS);
    a.sync();
    await pass(PROBE_MS - TICK_MS - 1);
    expect(state()).toBe('resolving');
    await pass(1);
    expect(state()).toBe('pending');
  });

  test('says that nobody is asked once the one that was asked failed', () => {
    const { host, state } = taskScene();
    const a = host(1);
    a.sync();
    a.sync({ failures: [refusal], mayReadOrigin: false });
    expect(state()).toBe('pending');
  });

  test('rests when its hosts leave before anybody was asked, and ends after a while', async () => {
    const { task, host, events, pass, state } = taskScene();
    const a = host(1);
    a.sync({ mayReadOrigin: false });
    await pass(SILENT_MS);
    expect(state()).toBe('pending');
    await pass(TICK_MS);
    expect(state()).toBe('idle');
    await pass(LIMITS.idleActorMs - 1);
    expect(events).toEqual([]);
    await pass(1);
    expect(events).toEqual(['task.retired']);
    expect([task.ended, state()]).toEqual([true, 'retired']);
  });

  test('rests when the host that was asked falls silent before its time is over', async () => {
    const { task, host, pushed, pass, state } = taskScene({ recoveredAtMs: 3_000 });
    const a = host(1);
    expect(a.sync().probe).toBeUndefined();
    await pass(3_000);
    task.recovered();
    await pass(TICK_MS);
    expect(pushed).toMatchObject([{ hostId: a.id, set: { probe: true, state: 'resolving' } }]);
    await pass(SILENT_MS - 3_000);
    expect(state()).toBe('idle');
    expect(host(2).sync().probe).toBe(true);
  });

  test('that rests goes on when a host comes', async () => {
    const { host, events, pass, state } = taskScene();
    await pass(TICK_MS);
    expect(state()).toBe('idle');
    await pass(LIMITS.idleActorMs / 2);
    expect(host(1).sync()).toMatchObject({ probe: true, state: 'resolving' });
    await pass(TICK_MS);
    expect(state()).toBe('resolving');
    expect(events).toEqual([]);
  });

  test('that rests is distributed by a host that knows the length', async () => {
    const { host, pass } = taskScene();
    await pass(TICK_MS);
    const { state, leases } = host(1).sync(FOUR);
    expect([state, leases.length]).toEqual(['distributing', 2]);
  });
});

describe('a task of known length', () => {
  test('is recorded again when a stream tells its length at the end', () => {
    const { host, events } = taskScene();
    const a = host(1);
    a.sync({ pieceLength: PIECE });
    expect(events).toEqual(['task.created']);
    a.sync(FOUR);
    a.sync(FOUR);
    expect(events).toEqual(['task.created', 'task.created']);
  });

  test('writes its hashes down at once when its hosts rest, and ends after a while', async () => {
    const { task, world, host, events, pass, count, state } = taskScene();
    const a = host(1);
    const [lease] = a.sync(FOUR).leases;
    a.sync({ ...FOUR, hashes: hashes([lease?.first ?? 0]) });
    a.sync({ ...FOUR, wants: false });
    expect(state()).toBe('distributing');
    task.tick(world.clock.now());
    expect(state()).toBe('idle');
    expect(await count(world.bus.readLog(SUBJECTS.logManifest, {}))).toBe(1);
    await pass(LIMITS.idleActorMs - 2);
    expect(events).toEqual(['task.created']);
    await pass(1);
    expect(events).toEqual(['task.created', 'task.retired']);
    expect(task.ended).toBe(true);
  });

  test('that rests gives leases again when a host comes, and does not end meanwhile', async () => {
    const { task, host, pass, state } = taskScene();
    const a = host(1);
    a.sync({ ...FOUR, wants: false });
    await pass(TICK_MS);
    expect(state()).toBe('idle');
    await pass(LIMITS.idleActorMs - TICK_MS);
    const b = host(2);
    expect(b.sync(FOUR).leases.length).toBeGreaterThan(0);
    expect(state()).toBe('distributing');
    for (let second = 0; second < 61; second += 1) {
      await pass(1_000);
      b.sync(FOUR);
    }
    expect([task.ended, state()]).toEqual([false, 'distributing']);
  });

  test('takes back what a host that says nothing any more was leased', async () => {
    const { world, host, pass, state } = taskScene();
    const a = host(1);
    const { leases, number } = a.sync(FOUR);
    a.sync({ ...FOUR, running: leases.map(({ first }) => first), seen: { epoch: 1, number } });
    expect(world.slots.downUsed(a.id)).toBe(2);
    await pass(SILENT_MS + TICK_MS);
    expect(world.slots.downUsed(a.id)).toBe(0);
    expect(state()).toBe('idle');
  });
});

/** Hosts that hold all of it: what they were told contradicts the digest. */
function doubtedScene() {
  const scene = taskScene();
  const hosts = [1, 2, 3].map((index) => scene.host(index)) as [
    ReturnType<Scene['host']>,
    ReturnType<Scene['host']>,
    ReturnType<Scene['host']>,
  ];
  const all = { ...FOUR, have: new Uint8Array([0b1111_0000]), sources: [ONE, TWO] };
  hosts[0].readAll({ sources: all.sources });
  for (const host of hosts) host.sync(all);
  /** A host says that the whole contradicts the digest; returns the pieces that it is to read again. */
  const contradict = (host: ReturnType<Scene['host']>, mayReadOrigin = true) =>
    host.sync({ ...all, mismatch: NOTHING, mayReadOrigin, seen: host.seen }).samples;
  return { ...scene, all, contradict, hosts };
}

describe('a task whose whole contradicts its digest', () => {
  test('has one host read pieces again, and believes its source where they differ', () => {
    const { contradict, all, events, hosts } = doubtedScene();
    const [a, b] = hosts;
    const samples = contradict(a);
    expect(samples).not.toBeUndefined();
    expect(contradict(b)).toBeUndefined();
    expect(a.sync(all).samples).toEqual(samples);
    expect(a.sync({ ...all, mismatch: { agreed: [], differed: [0] } }).samples).toBeUndefined();
    expect(events).toEqual(['task.created']);
    a.readAll({ sources: all.sources });
    expect(contradict(b)).toBeUndefined();
    expect(contradict(b)).not.toBeUndefined();
  });

  test('takes no word on samples from a host that was not asked', () => {
    const { contradict, all, events, hosts } = doubtedScene();
    const [a, b] = hosts;
    contradict(a);
    b.sync({ ...all, mismatch: { agreed: [0], differed: [] } });
    expect(events).toEqual(['task.created']);
    expect(a.sync(all).samples).not.toBeUndefined();
  });

  test('asks another when the one that was asked is gone', () => {
    const { task, contradict, hosts } = doubtedScene();
    const [a, b, c] = hosts;
    contradict(a);
    task.lose(c.id);
    expect(contradict(b)).toBeUndefined();
    task.lose(a.id);
    expect(contradict(b)).not.toBeUndefined();
  });

  test('asks another, once, when the one that was asked takes too long', async () => {
    const { contradict, all, hosts, pass } = doubtedScene();
    const [a, b, c] = hosts;
    contradict(a);
    for (let second = 1; second < SAMPLES_MS / 1_000; second += 1) {
      await pass(1_000);
      expect(contradict(b)).toBeUndefined();
    }
    await pass(1_000);
    // Its answer would still do.
    expect(a.sync(all).samples).not.toBeUndefined();
    expect(contradict(b)).not.toBeUndefined();
    expect(a.sync(all).samples).toBeUndefined();
    expect(contradict(c)).toBeUndefined();
    await pass(SAMPLES_MS);
    expect(contradict(c)).not.toBeUndefined();
  });

  test('is read again where the source agrees with them; the next time it is banned, and the next one begins from nothing', () => {
    const { task, contradict, all, events, hosts, state } = doubtedScene();
    const [a, b] = hosts;
    contradict(a);
    const agreed = {
      ...all,
      mismatch: { agreed: [0], differed: [] },
      pieceLength: undefined,
      length: undefined,
    };
    const { claim, samples } = a.sync(agreed);
    expect([claim, samples, events]).toEqual([2, undefined, ['task.created']]);
    expect(task.shown.row()).toMatchObject({ sources: [ONE.url, TWO.url], holders: 0, length: undefined });
    a.readAll({ sources: all.sources });
    // What the others say of the claim that was dropped is old.
    expect(contradict(b)).toBeUndefined();
    expect(contradict(a)).not.toBeUndefined();
    const set = a.sync({ ...agreed, seen: a.seen });
    expect(events).toEqual(['task.created', 'task.created', 'source.banned']);
    expect(task.shown.row()).toMatchObject({ sources: [TWO.url], holders: 0, length: undefined });
    expect(set.claim).toBe(3);
    expect(['pending', 'resolving']).toContain(state());
    const other = { sources: [TWO], have: undefined };
    expect([a.sync({ ...other, seen: a.seen }).probe, b.sync({ ...other, seen: b.seen }).probe]).toContain(
      true,
    );
    expect(state()).toBe('resolving');
  });

  test('asks for no samples of a source that was banned meanwhile', async () => {
    const { contradict, all, events, hosts, pass } = doubtedScene();
    const [a, b] = hosts;
    expect(contradict(a)).not.toBeUndefined();
    await pass(SAMPLES_MS);
    contradict(b, false);
    b.readAll({ sources: all.sources });
    contradict(b, false);
    expect(events).toContain('source.banned');
    expect(a.sync({ sources: [TWO], seen: a.seen }).samples).toBeUndefined();
  });
});

describe('a task without a source that agrees', () => {
  const URL_TASK = `url-${'cd'.repeat(32)}` as TaskId;
  const changed = { ...refusal, reason: 'origin-changed' as const };

  test('tells everybody why for a while, and ends', async () => {
    const { task, host, events, pass, state } = taskScene({ taskId: URL_TASK });
    const [a, b] = [host(1), host(2)];
    a.sync(FOUR);
    const set = a.sync({ ...FOUR, failures: [changed] });
    expect(set).toMatchObject({ state: 'failed', error: { code: 'ERR_TASK_CHANGED' } });
    const told = b.sync(FOUR);
    expect(told).toMatchObject({ state: 'failed', leases: [], error: { code: 'ERR_TASK_CHANGED' } });
    await pass(LIMITS.idleActorMs - 1);
    expect(state()).toBe('failed');
    expect(events).toEqual(['task.created', 'task.failed']);
    await pass(1);
    expect([task.ended, task.error]).toEqual([true, undefined]);
    expect(events).toEqual(['task.created', 'task.failed', 'task.retired']);
  });

  test('fails once, however many say so, and no sooner or later for it', async () => {
    const { task, host, events, pass } = taskScene({ taskId: URL_TASK });
    const [a, b] = [host(1), host(2)];
    a.sync({ ...FOUR, failures: [changed] });
    await pass(LIMITS.idleActorMs / 2);
    b.sync({ ...FOUR, failures: [changed] });
    expect(events.filter((type) => type === 'task.failed')).toHaveLength(1);
    await pass(LIMITS.idleActorMs / 2);
    expect(task.ended).toBe(true);
  });

  test('fails when its last source contradicts the digest twice, and is begun anew by whoever comes after that', () => {
    const { task, host, state } = taskScene();
    const [a, b] = [host(1), host(2)];
    b.sync(FOUR);
    a.sync({ ...FOUR, mayReadOrigin: false });
    const differs = { ...FOUR, mayReadOrigin: false, mismatch: NOTHING };
    expect(a.sync(differs)).toMatchObject({ claim: 2, error: undefined });
    // Said of the claim that was dropped.
    a.sync({ ...differs, seen: { epoch: 1, number: 1 } });
    expect(state()).not.toBe('failed');
    a.sync({ ...FOUR, mayReadOrigin: false, seen: a.seen });
    const set = a.sync({ ...differs, seen: a.seen });
    expect(set).toMatchObject({ state: 'failed', error: { code: 'ERR_DIGEST_MISMATCH' } });
    expect(task.revivedBy(a.id, syncOf(9, { base: 8 }))).toBe(false);
    // It has not heard of it yet, and is no other download.
    expect(task.revivedBy(b.id, syncOf(9, {}))).toBe(false);
    expect(task.revivedBy(a.id, syncOf(9, { wants: false }))).toBe(false);
    expect(task.revivedBy(a.id, syncOf(9, {}))).toBe(true);
    expect(task.revivedBy(hostId(3), syncOf(9, {}))).toBe(true);
    expect(state()).toBe('failed');
  });

  test('holds nothing against a source that was banned for a download that is over', async () => {
    const { task, host, events, pass, state } = taskScene();
    const a = host(1);
    const differs = { ...FOUR, sources: [ONE, TWO], mayReadOrigin: false, mismatch: NOTHING };
    a.sync(differs);
    a.sync({ ...differs, seen: a.seen });
    expect(events).toContain('source.banned');
    a.sync({ sources: [ONE, TWO], wants: false, seen: a.seen });
    expect(task.shown.row().sources).toEqual([TWO.url]);
    await pass(TICK_MS);
    expect(state()).toBe('idle');
    a.sync({ sources: [ONE], wants: false, seen: a.seen });
    expect(task.shown.row().sources).toEqual([TWO.url]);
    await pass(OVER_MS);
    host(2).sync({ sources: [ONE] });
    expect(task.shown.row().sources).toEqual([TWO.url, ONE.url]);
  });

  test('fails before its length is known too', () => {
    const { host } = taskScene({ taskId: URL_TASK });
    expect(host(1).sync({ failures: [changed] }).state).toBe('failed');
  });
});

test.each(['pending', 'resolving', 'distributing', 'idle', 'failed'])(
  'a task that is removed while %s ends at once, and gives every slot back',
  async (name) => {
    const { task, world, host, events, pass, state } = taskScene({
      taskId: `url-${'ef'.repeat(32)}` as TaskId,
    });
    const a = host(1);
    if (name === 'pending') a.sync({ mayReadOrigin: false });
    if (name === 'resolving') a.sync();
    if (name === 'distributing') a.sync(FOUR);
    if (name === 'failed') a.sync({ ...FOUR, failures: [{ ...refusal, reason: 'origin-changed' }] });
    if (name === 'idle') await pass(TICK_MS);
    expect(state()).toBe(name);
    task.remove();
    expect([task.ended, state(), world.slots.downUsed(a.id), world.slots.host(a.id).tasks]).toEqual([
      true,
      'retired',
      0,
      0,
    ]);
    expect(events.at(-1)).toBe('task.retired');
    expect(world.reads.size).toBe(0);
  },
);

test('a task whose partition is another’s frees its leases, and says and writes nothing more', async () => {
  const { task, world, host, events, pushed, pass, count, state } = taskScene();
  const a = host(1);
  const { leases } = a.sync(FOUR);
  const [{ first = 0 } = {}] = leases;
  a.sync({ ...FOUR, have: bits(8 >> first), hashes: hashes([first]), seen: a.seen });
  expect(world.slots.host(a.id).downUsed).toBeGreaterThan(0);
  const before = [...events];
  task.cede();
  expect([task.ended, state()]).toEqual([true, 'retired']);
  expect(world.slots.host(a.id).downUsed).toBe(0);
  await pass(LIMITS.idleActorMs);
  expect(events).toEqual(before);
  expect(pushed).toEqual([]);
  expect(await count(world.bus.readLog(SUBJECTS.logManifest, {}))).toBe(0);
});
