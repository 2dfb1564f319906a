import { expect, test, vi } from 'vitest';
import { SchedulerActor } from '../../../actors/scheduler/scheduler.ts';
import { partitionOf, schedulerIdFrom } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import { Simulation } from '../../../sim/world.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { hostId } from '../../scheduling/world.ts';
import { Puppet } from '../puppet.ts';
import { alive, PIECE, schedulerScene, syncOf, TASK } from './scene.ts';

const URL = 'http://origin.test/a';
const FOUR = { length: 4 * PIECE, pieceLength: PIECE };
/** What is read has waited for 300 to 400 ms then. */
const BEHIND_MS = 200;

/** A scheduler that reads what is old, where the test says so, and a host that has joined. */
async function scene() {
  const { world, hub, nats, pass } = schedulerScene();
  const scheduler = new SchedulerActor(world);
  scheduler.start();
  await pass(1_100);
  const id = hostId(1);
  const bus = hub.bus(id);
  const say = (cachedTasks: number) =>
    bus.publish(SUBJECTS.alive, { hostId: id }, { ...alive('normal'), cachedTasks });
  say(0);
  const tokens = { partition: String(partitionOf(TASK)), taskId: TASK, hostId: id };
  let seq = 0;
  let base = 0;
  const sync = async (more: Partial<SyncRequest> = {}) => {
    seq += 1;
    const message = syncOf(seq, { ...FOUR, base, ...more });
    const asked = bus.request(SUBJECTS.sync, tokens, message, { timeoutMs: 1_000 });
    const outcome = asked.then(
      (reply) => {
        base = seq;
        return reply;
      },
      (error: { code: string; details: object }) => error,
    );
    await pass(1_000);
    return outcome;
  };
  await pass(10);
  const behind = async (is: boolean, ms = BEHIND_MS) => {
    nats.ms = is ? ms : 0;
    await pass(1_000);
  };
  const known = () => world.hosts.get(id)?.alive.cachedTasks;
  return { behind, hub, id, known, pass, say, scheduler, sync, world };
}

test('that a host is there counts though nobody has time to read what it says', async () => {
  const { behind, known, pass, say, world } = await scene();
  await behind(true);
  for (let second = 0; second < 10; second += 1) {
    say(7);
    await pass(1_000);
  }
  expect(known()).toBe(0);
  expect(world.hosts.size).toBe(1);
  await behind(false);
  say(7);
  await pass(10);
  expect(known()).toBe(7);
});

test('a host that goes on is asked to wait; one that begins, says everything or starves is answered', async () => {
  const { behind, say, sync } = await scene();
  expect(await sync({ base: 0 })).toMatchObject({ status: 'ok' });
  expect(await sync()).toMatchObject({ status: 'ok', intervalMs: LIMITS.syncMinIntervalMs });
  await behind(true);
  say(0);
  expect(await sync()).toMatchObject({
    code: 'ERR_SCHED_BUSY',
    details: { waitMs: expect.any(Number), epoch: expect.any(Number) },
  });
  say(0);
  expect(await sync({ urgent: 1 })).toMatchObject({ status: 'ok' });
  say(0);
  const reply = await sync({ base: 0 });
  expect(reply).toMatchObject({ status: 'ok' });
  // What is old says that hosts ask too often.
  expect((reply as { intervalMs: number }).intervalMs).toBeGreaterThan(LIMITS.syncMinIntervalMs);
  await behind(false);
  say(0);
  expect(await sync()).toMatchObject({ status: 'ok' });
});

test('in a crowd a host that begins is asked to come when it can be served, one that brings anything is heard', async () => {
  const { behind, say, scheduler, sync } = await scene();
  // What is read has waited for 500 to 600 ms then.
  await behind(true, 300);
  say(0);
  const reply = await sync({ base: 0, have: new Uint8Array(1) });
  expect(reply).toMatchObject({ code: 'ERR_SCHED_BUSY' });
  const { waitMs } = (reply as { details: { waitMs: number } }).details;
  // What is ahead of it will have been read by then.
  expect(waitMs).toBeGreaterThanOrEqual(500);
  expect(scheduler.size.tasks).toBe(0);
  say(0);
  expect(await sync({ base: 0, urgent: 1 })).toMatchObject({ status: 'ok' });
  for (const more of [{ have: Uint8Array.of(0x80) }, { running: [1] }, { wants: false }]) {
    say(0);
    expect(await sync({ base: 0, ...more })).toMatchObject({ status: 'ok' });
  }
});

test('a scheduler to whom much is said keeps what it owns, where its heartbeat waits behind none of that', async () => {
  const keeps = async (isOwn: boolean) => {
    const { world, hub, nats, pass } = schedulerScene();
    const scheduler = new SchedulerActor(isOwn ? { ...world, store: hub.bus('store') } : world);
    scheduler.start();
    await pass(1_100);
    expect(scheduler.epochOf(0)).toBeDefined();
    nats.ms = LIMITS.ownershipMs;
    await pass(2 * LIMITS.termMs);
    return scheduler.epochOf(0) !== undefined;
  };
  expect(await keeps(false)).toBe(false);
  expect(await keeps(true)).toBe(true);
});

test('a scheduler whose term ended a moment ago has hosts ask again, and no longer than that', async () => {
  const { behind, hub, say, scheduler, sync } = await scene();
  expect(await sync({ base: 0 })).toMatchObject({ status: 'ok' });
  const epoch = scheduler.epochOf(0);
  const schedulerId = schedulerIdFrom(new Uint8Array(8).fill(9));
  const other = { name: 'other', sinceMs: 0, tasks: 0, hosts: 0, version: 'test', epoch: 0, epochLeast: 0 };
  /** Nothing that is asked of the store is answered in time; another scheduler says that there is one. */
  const second = async () => {
    const alive = { ...other, partitions: [], guided: true, leaving: false };
    hub.bus('other').publish(SUBJECTS.schedulerAlive, { schedulerId }, alive);
    await behind(true, LIMITS.ownershipMs);
  };
  await second();
  while (scheduler.epochOf(0) !== undefined) await second();
  const told = () => {
    say(0);
    return sync({ base: 0, patienceMs: 60_000, wants: false });
  };
  const details = { waitMs: expect.any(Number), epoch };
  expect(await told()).toMatchObject({ code: 'ERR_SCHED_BUSY', details });
  for (let passed = 0; passed < LIMITS.termMs; passed += 1_000) await second();
  expect(await told()).toMatchObject({ code: 'ERR_BUS_UNAVAILABLE' });
});

test('a scheduler that leaves goes through its tasks once, not once for each partition', async () => {
  const { world, pass } = schedulerScene();
  const scheduler = new SchedulerActor(world);
  scheduler.start();
  await pass(1_100);
  const forget = vi.spyOn(world.holdings, 'forget');
  const left = scheduler.leave();
  await pass(LIMITS.leaveMs);
  await left;
  expect(scheduler.epochOf(0)).toBeUndefined();
  expect(forget).toHaveBeenCalledOnce();
});

test('what its sender waits for no more is not done', async () => {
  const { behind, scheduler, sync } = await scene();
  await behind(true);
  expect(await sync({ base: 0, patienceMs: 200 })).toMatchObject({ code: 'ERR_BUS_TIMEOUT' });
  expect(scheduler.size.tasks).toBe(0);
  expect(await sync({ base: 0, patienceMs: 900 })).toMatchObject({ status: 'ok' });
});

test('a scheduler that stood still, or was without NATS, takes nobody for gone who was not', async () => {
  const sim = new Simulation({ seed: 1, hosts: 5, linkBytesPerSec: 1e6 });
  sim.start();
  await sim.run(3_000);
  const lost = () => sim.events.filter(({ type }) => type === 'host.lost').length;
  sim.scheduler.freeze(true);
  await sim.run(30_000);
  sim.scheduler.freeze(false);
  await sim.run(5_000);
  expect(lost()).toBe(0);
  sim.scheduler.cutBus(true);
  await sim.run(30_000);
  sim.scheduler.cutBus(false);
  await sim.run(5_000);
  expect(lost()).toBe(0);
  sim.hosts[0]?.crash();
  await sim.run(2 * LIMITS.hostGoneMs);
  expect(lost()).toBe(1);
});

test('what a host holds that was taken for gone is known again when it is heard again', async () => {
  const sim = new Simulation({ seed: 2, hosts: 1, linkBytesPerSec: 10e6 });
  sim.publish(URL, 4 * PIECE);
  sim.start();
  await sim.run(2_000);
  const [holder] = sim.hosts;
  const viewer = new Puppet(sim, 9);
  const holders = async () => {
    const tokens = { noun: 'task', sender: viewer.hostId };
    const asked = viewer.bus.request(SUBJECTS.query, tokens, { op: 'list' }, { timeoutMs: 1_000 });
    const { tasks } = (await viewer.settle(asked)) as { tasks: { holders: number }[] };
    return tasks.map((task) => task.holders);
  };
  const get = holder?.get({ resource: URL });
  await sim.run(20_000, () => get?.state === 'done');
  // Until nobody works on it any more.
  await sim.run(2 * LIMITS.idleActorMs);
  expect(await holders()).toEqual([1]);
  // Of what the host says of itself nothing comes for a while; it does not notice.
  sim.lose = ({ from, kind }) => from === holder?.hostId && kind !== 'reply';
  await sim.run(2 * LIMITS.hostGoneMs);
  expect(sim.events.filter(({ type }) => type === 'host.lost')).toHaveLength(1);
  expect(await holders()).not.toContain(1);
  sim.lose = () => false;
  await sim.run(10_000);
  expect(await holders()).toEqual([1]);
});
