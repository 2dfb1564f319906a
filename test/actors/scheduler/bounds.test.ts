import { expect, test } from 'vitest';
import { SchedulerActor } from '../../../actors/scheduler/scheduler.ts';
import { type HostId, partitionOf, type ResourceId, type TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { hostId } from '../../scheduling/world.ts';
import { alive, hashes, ONE, PIECE, schedulerScene, syncOf } from './scene.ts';

const taskAt = (index: number) => `url-${index.toString(16).padStart(64, '0')}` as TaskId;
const SMALL = { length: 4 * PIECE, pieceLength: PIECE };
const LARGEST = { length: LIMITS.piecesPerTask * PIECE, pieceLength: PIECE };

/** A scheduler that has taken its census, and hosts that say what the test says. */
async function scene() {
  const { world, hub, pass } = schedulerScene();
  const lines: string[] = [];
  const log = { ...world.log, warn: (_fields: object, message: string) => void lines.push(message) };
  const scheduler = new SchedulerActor({ ...world, log });
  scheduler.start();
  await pass(1);
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined);
    await pass(2);
    return promise;
  };
  const host = (id: HostId) => {
    const bus = hub.bus(id);
    let seq = 0;
    const sync = (task: number, more: Partial<SyncRequest> = {}) => {
      seq += 1;
      const tokens = { partition: String(partitionOf(taskAt(task))), taskId: taskAt(task), hostId: id };
      return bus.request(SUBJECTS.sync, tokens, syncOf(seq, more), { timeoutMs: 1_000 });
    };
    return {
      bus,
      say: () => bus.publish(SUBJECTS.alive, { hostId: id }, alive('normal')),
      sync: (task: number, more?: Partial<SyncRequest>) => settle(sync(task, more)),
      /** Code of each answer, `ok` where it was taken. */
      async syncAll(tasks: readonly number[], more: Partial<SyncRequest> = {}): Promise<string[]> {
        const codes: string[] = [];
        for (const task of tasks) {
          sync(task, more).then(
            ({ status }) => codes.push(status),
            ({ code }) => codes.push(code),
          );
        }
        await pass(2);
        return codes;
      },
    };
  };
  return { scheduler, world, host, pass, lines };
}

const count = (first: number, end: number) =>
  Array.from({ length: end - first }, (_, index) => first + index);

test('a host has so many tasks at work and no more; its others and those of others go on', async () => {
  const { scheduler, host, pass } = await scene();
  const flooder = host(hostId(1));
  const other = host(hostId(2));
  const codes = await flooder.syncAll(count(0, LIMITS.tasksPerHost + 100));
  expect(codes.filter((code) => code === 'ok')).toHaveLength(LIMITS.tasksPerHost);
  expect(codes.filter((code) => code === 'ERR_SCHED_BUSY')).toHaveLength(100);
  expect(await flooder.sync(7)).toMatchObject({ status: 'ok' });
  expect(await other.sync(100_000)).toMatchObject({ status: 'ok' });
  expect(scheduler.size.tasks).toBe(LIMITS.tasksPerHost + 1);
  // It is gone, and so is all that only it wanted.
  for (let second = 0; second < 6; second += 1) {
    other.say();
    await other.sync(100_000);
    await pass(1_000);
  }
  expect(scheduler.size.tasks).toBe(1);
});

test('a task that its host is done with makes room for the next', async () => {
  const { scheduler, host } = await scene();
  const busy = host(hostId(1));
  await busy.syncAll(count(0, LIMITS.tasksPerHost));
  expect(await busy.syncAll([5_000])).toEqual(['ERR_SCHED_BUSY']);
  await busy.syncAll([3, 4], { wants: false });
  expect(await busy.syncAll([5_000, 5_001, 5_002])).toEqual(['ok', 'ok', 'ERR_SCHED_BUSY']);
  expect(scheduler.size.tasks).toBe(LIMITS.tasksPerHost);
});

test('nobody is told of wrong pieces that hosts gave which are not there, and nothing of them is kept', async () => {
  const { host } = await scene();
  const flooder = host(hostId(1));
  const failures = Array.from({ length: 256 }, (_, index) => ({
    first: 0,
    count: 4,
    parent: hostId(0x5000 + index),
    reason: 'corrupt' as const,
  }));
  expect(await flooder.syncAll([0], { ...SMALL, failures })).toEqual(['ok']);
  const named = host(hostId(0x5001));
  // It comes later, and is not what somebody said of it before.
  expect(await named.sync(0, SMALL)).toMatchObject({ status: 'ok', suspects: undefined });
});

test('a host asks for lists as often as one can need them, and is refused beyond', async () => {
  const { host, pass } = await scene();
  const { bus } = host(hostId(1));
  const codes: string[] = [];
  for (let index = 0; index < 1_000; index += 1) {
    bus
      .request(SUBJECTS.query, { noun: 'task', sender: hostId(1) }, { op: 'list' }, { timeoutMs: 1_000 })
      .then(
        () => codes.push('ok'),
        ({ code }) => codes.push(code),
      );
  }
  await pass(2);
  expect(codes.filter((code) => code === 'ok').length).toBeGreaterThan(200);
  expect(codes.filter((code) => code === 'ERR_SCHED_BUSY').length).toBeGreaterThan(200);
});

test('a task with others in it is not ended for a host that has too many', async () => {
  const { host } = await scene();
  const busy = host(hostId(1));
  const other = host(hostId(2));
  await busy.syncAll([0], {
    ...SMALL,
    wants: false,
    have: new Uint8Array([0xf0]),
    hashes: hashes([0, 1, 2, 3]),
  });
  await other.sync(0, SMALL);
  await busy.syncAll(count(1, LIMITS.tasksPerHost));
  expect(await busy.syncAll([5_000])).toEqual(['ERR_SCHED_BUSY']);
  expect(await other.sync(0, { ...SMALL, base: 0 })).toMatchObject({ status: 'ok', length: 4 * PIECE });
});

test('a host makes a scheduler keep account of so many pieces, however it claims them', async () => {
  const { host } = await scene();
  const flooder = host(hostId(1));
  expect(await flooder.syncAll([0], LARGEST)).toEqual(['ok']);
  expect(await flooder.syncAll([0], LARGEST)).toEqual(['ok']);
  expect(await flooder.syncAll([1], LARGEST)).toEqual(['ERR_SCHED_BUSY']);
  expect(await flooder.syncAll([2], { have: new Uint8Array(1024).fill(255) })).toEqual(['ERR_SCHED_BUSY']);
  expect(await flooder.syncAll([3], { hashes: hashes([5_000]) })).toEqual(['ERR_SCHED_BUSY']);
  expect(await flooder.syncAll([4], { running: [5_000] })).toEqual(['ERR_SCHED_BUSY']);
  expect(await flooder.syncAll([5], {})).toEqual(['ok']);
  expect(await host(hostId(2)).syncAll([1], LARGEST)).toEqual(['ok']);
});

test('who joins a task is not charged for what another said of it', async () => {
  const { host } = await scene();
  await host(hostId(1)).sync(0, LARGEST);
  const second = host(hostId(2));
  expect(await second.syncAll([0], LARGEST)).toEqual(['ok']);
  expect(await second.syncAll([1], { length: 1_000 * PIECE, pieceLength: PIECE })).toEqual(['ok']);
});

test('a host that sends too much is refused for a while, and is still there', async () => {
  const { scheduler, host, pass, lines } = await scene();
  const flooder = host(hostId(1));
  flooder.say();
  await pass(2);
  let busy = 0;
  for (let batch = 0; batch < 12; batch += 1) {
    const codes = await flooder.syncAll(Array.from({ length: 1_000 }, () => 1));
    busy += codes.filter((code) => code === 'ERR_SCHED_BUSY').length;
  }
  expect(busy).toBeGreaterThan(1_000);
  expect(lines).toContain('a host sends more than one host may; some of it is refused');
  for (let half = 0; half < 12; half += 1) {
    flooder.say();
    await flooder.syncAll(Array.from({ length: 1_000 }, () => 1));
    await pass(600);
  }
  expect(scheduler.size.hosts).toBe(1);
  expect(await host(hostId(2)).sync(2)).toMatchObject({ status: 'ok' });
  await pass(2_000);
  expect(await flooder.sync(1)).toMatchObject({ status: 'ok' });
});

test('a host holds so many tasks and no more, and nothing of it is left when it is gone', async () => {
  const { world, host, pass, lines } = await scene();
  const flooder = host(hostId(1));
  flooder.say();
  const { incarnation } = alive('normal');
  for (let page = 0; page * 1_000 < LIMITS.holdingsPerHost + 3_000; page += 1) {
    const tasks = count(page * 1_000, page * 1_000 + 1_000).map((index) => ({
      taskId: taskAt(index),
      audience: 'public' as const,
      ...SMALL,
    }));
    const tokens = { hostId: hostId(1), to: '0' };
    flooder.bus.publish(SUBJECTS.holds, tokens, { incarnation, page, pages: 1, tasks, gone: [] });
    flooder.say();
    await pass(200);
  }
  expect([...world.holdings.tasks()]).toHaveLength(LIMITS.holdingsPerHost);
  expect(lines).toContain('a host holds more tasks than are counted');
  await pass(LIMITS.hostGoneMs + 1_000);
  expect([...world.holdings.tasks()]).toHaveLength(0);
});

test('a host asks for URLs without end, and is answered', async () => {
  const { host, pass } = await scene();
  const { bus } = host(hostId(1));
  let last: unknown;
  for (let index = 0; index < LIMITS.resourcesPerHost + 500; index += 1) {
    const resourceId = `${index.toString(16).padStart(64, '0')}` as ResourceId;
    const tokens = { partition: String(partitionOf(resourceId)), resourceId, hostId: hostId(1) };
    const request = { ...ONE, incarnation: 1, ask: 1, maxStaleMs: 0, mayReadOrigin: true };
    bus.request(SUBJECTS.resolve, tokens, request, { timeoutMs: 1_000 }).then(
      (reply) => {
        last = reply;
      },
      (error) => {
        last = error;
      },
    );
    if (index % 500 === 499) await pass(20);
  }
  await pass(20);
  expect(last).toEqual({ status: 'ask-origin' });
});

test('there are so many hosts and no more: made up ones go before one that is heard again and again', async () => {
  const { scheduler, host, pass } = await scene();
  const real = host(hostId(0xabc));
  const maker = host(hostId(1)).bus;
  for (let index = 0; index < LIMITS.hostsKnown + 2_000; index += 1) {
    maker.publish(SUBJECTS.alive, { hostId: hostId(0x1_0000 + index) }, alive('normal'));
    if (index % 1_000 !== 0) continue;
    real.say();
    await pass(20);
  }
  await pass(20);
  expect(scheduler.size.hosts).toBe(LIMITS.hostsKnown);
  expect(await real.sync(1)).toMatchObject({ status: 'ok' });
  for (let second = 0; second < 6; second += 1) {
    real.say();
    await pass(1_000);
  }
  expect(scheduler.size.hosts).toBe(1);
});
