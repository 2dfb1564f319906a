import { expect, test } from 'vitest';
import { composeScheduler } from '../../../actors/scheduler/compose-scheduler.ts';
import { TaskHoldings } from '../../../actors/scheduler/holdings.ts';
import { HostTable } from '../../../actors/scheduler/host-table.ts';
import { SchedulerActor } from '../../../actors/scheduler/scheduler.ts';
import { partitionOf, schedulerIdFrom, type TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { LeaseSet, SyncRequest } from '../../../core/sync-messages.ts';
import { SlotTable } from '../../../scheduling/slots.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { hostId } from '../../scheduling/world.ts';
import { alive, ONE, PIECE, schedulerScene, syncOf } from './scene.ts';

const FOUR = { length: 4 * PIECE, pieceLength: PIECE };
const TASKS = Array.from(
  { length: 24 },
  (_, index) => `sha256-${index.toString(16).padStart(64, '0')}` as TaskId,
);

/** Schedulers on one hub, and a host that talks to whoever listens. */
function scene() {
  const { world, hub, pass } = schedulerScene();
  const { clock, random, emit, log, originReaders, metrics, mintToken, schedulerKeys, name, version } = world;
  const parts = { clock, random, emit, log, originReaders, metrics, mintToken, schedulerKeys, name, version };
  const start = (number: number) => {
    const schedulerId = schedulerIdFrom(new Uint8Array(8).fill(number));
    const bus = hub.bus(schedulerId);
    const scheduler = composeScheduler({ ...parts, bus, schedulerId, keyId: `key-${number}` });
    scheduler.start();
    return { scheduler, schedulerId };
  };
  /** Its table of slots, of a scheduler that is started. */
  const startWith = (number: number) => {
    const schedulerId = schedulerIdFrom(new Uint8Array(8).fill(number));
    const tables = { ...world, slots: new SlotTable(), hosts: new HostTable(), holdings: new TaskHoldings() };
    const own = { ...tables, bus: hub.bus(schedulerId), schedulerId, keyId: `key-${number}` };
    new SchedulerActor(own).start();
    return own.slots;
  };
  const id = hostId(1);
  const bus = hub.bus(id);
  const pushed: { taskId: TaskId; set: LeaseSet }[] = [];
  bus.subscribe(SUBJECTS.leases, { hostId: id }, (push) => void pushed.push(push));
  /** Lets time pass while the host lives. */
  const live = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      bus.publish(SUBJECTS.alive, { hostId: id }, alive('normal'));
      await pass(500);
    }
  };
  let seq = 0;
  /** All answers to one sync. */
  const answers = async (taskId: TaskId, more: Partial<SyncRequest> = {}) => {
    seq += 1;
    bus.publish(SUBJECTS.alive, { hostId: id }, alive('normal'));
    const tokens = { partition: String(partitionOf(taskId)), taskId, hostId: id };
    const asked = bus.gather(SUBJECTS.sync, tokens, syncOf(seq, { ...FOUR, ...more }), { waitMs: 20 });
    await pass(50);
    return asked;
  };
  const said: string[] = [];
  bus.subscribe(SUBJECTS.census, {}, ({ epoch, partitions }) => {
    for (const partition of partitions) said.push(`${partition}/${epoch}`);
  });
  return { start, startWith, pass, live, answers, pushed, said, bus, id };
}

test('of two schedulers one answers a sync, and the newer one what fell to it', async () => {
  const { start, pass, answers, said } = scene();
  start(1);
  await pass(2_000);
  const before = await Promise.all(TASKS.map((taskId) => answers(taskId)));
  expect(before.map((each) => each.length)).toEqual(TASKS.map(() => 1));
  const first = new Set(said);
  start(2);
  await pass(4_000);
  let moved = 0;
  for (const taskId of TASKS) {
    const [reply, ...others] = await answers(taskId);
    expect(others).toEqual([]);
    if (reply?.status === undefined) throw new Error(`nobody answers for ${taskId}`);
    const key = `${partitionOf(taskId)}/${reply.epoch}`;
    expect(said).toContain(key);
    if (!first.has(key)) moved += 1;
  }
  expect(moved).toBeGreaterThan(TASKS.length / 6);
  expect(moved).toBeLessThan(TASKS.length);
});

test('what another owns now is neither pushed nor listed here any more', async () => {
  const { start, live, answers, pushed, said } = scene();
  const { scheduler: one } = start(1);
  await live(2_000);
  for (const taskId of TASKS) await answers(taskId, { sources: [ONE], freeSlots: 0 });
  expect(one.size.tasks).toBe(TASKS.length);
  const first = new Set(said);
  const { scheduler: two } = start(2);
  await live(4_000);
  pushed.length = 0;
  await live(LIMITS.censusMs);
  for (const { taskId, set } of pushed) {
    const isOld = first.has(`${partitionOf(taskId)}/${set.epoch}`);
    const isMoved = one.epochOf(partitionOf(taskId)) === undefined;
    expect(isOld && isMoved, taskId).toBe(false);
  }
  const kept = TASKS.filter((taskId) => one.epochOf(partitionOf(taskId)) !== undefined);
  expect(one.size.tasks).toBe(kept.length);
  expect(kept.length).toBeLessThan(TASKS.length);
  for (const taskId of TASKS) await answers(taskId);
  expect(one.size.tasks + two.size.tasks).toBe(TASKS.length);
});

test.each(['a partition', 'each scheduler'])(
  'what a host holds, said to %s, is heard by the owner alone',
  async (to) => {
    const { start, pass, bus, id } = scene();
    const [one, two] = [start(1), start(2)];
    await pass(4_000);
    const owners = [one, two].map(({ scheduler }) =>
      TASKS.filter((taskId) => scheduler.epochOf(partitionOf(taskId)) !== undefined),
    );
    expect(owners.flat().sort()).toEqual([...TASKS].sort());
    bus.publish(SUBJECTS.alive, { hostId: id }, alive('normal'));
    for (const taskId of TASKS) {
      const tasks = [{ taskId, audience: 'public' as const, ...FOUR }];
      const message = { incarnation: 1, page: 0, pages: 1, tasks, gone: [] };
      if (to === 'a partition') {
        bus.publish(SUBJECTS.holds, { hostId: id, to: String(partitionOf(taskId)) }, message);
      } else {
        // Both asked, and both are told all.
        for (const { schedulerId } of [one, two])
          bus.publish(SUBJECTS.holds, { hostId: id, to: schedulerId }, message);
      }
    }
    await pass(50);
    const tokens = { noun: 'task', sender: id };
    const asked = bus.gather(SUBJECTS.query, tokens, { op: 'list' }, { waitMs: 50 });
    await pass(100);
    const listed = (await asked).map((reply) =>
      (reply as { tasks: { taskId: TaskId }[] }).tasks.map(({ taskId }) => taskId).sort(),
    );
    expect(listed.map((tasks) => tasks.length).sort()).toEqual(owners.map((tasks) => tasks.length).sort());
    expect(listed.flat().sort()).toEqual([...TASKS].sort());
  },
);

test('what a host uploads for the tasks of one scheduler another does not lease as well', async () => {
  const { startWith, live, pass, id, bus } = scene();
  const slots = startWith(1);
  await live(2_000);
  const uploading = { ...alive('normal'), uploading: 5 };
  const say = async () => {
    bus.publish(SUBJECTS.alive, { hostId: id }, uploading);
    await pass(10);
  };
  await say();
  expect(slots.host(id).upLimit).toBe(uploading.slotsUp);
  startWith(2);
  await live(2_000);
  await say();
  expect(slots.host(id).upLimit).toBe(uploading.slotsUp - 5);
});
