import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskQuota } from '../../../actors/scheduler/task-quota.ts';
import type { TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { hostId } from '../../scheduling/world.ts';

const taskAt = (index: number) => `url-${index.toString(16).padStart(64, '0')}` as TaskId;
const NONE = { pieces: 0, known: 0 };

/** A quota, and the tasks that were ended through it. */
function scene() {
  const quota = new TaskQuota();
  const ended: number[] = [];
  const end = (taskId: TaskId) => {
    ended.push(Number.parseInt(taskId.slice(4), 16));
    quota.ended(taskId);
    return true;
  };
  return {
    quota,
    ended,
    take: (host: number, task: number, wants = true, pieces = 0) =>
      quota.take(hostId(host), taskAt(task), { ...NONE, pieces, wants }, end),
    leave: (host: number, task: number) => quota.leave(hostId(host), taskAt(task)),
    makeRoom: (host: number, task: number) => quota.makeRoom(hostId(host), taskAt(task), end),
    tasksOf: (host: number) => [...quota.tasksOf(hostId(host))].length,
  };
}

test('what a host leaves behind counts as its own, and makes room for what it begins', () => {
  const { take, leave, tasksOf, ended } = scene();
  for (let round = 0; round < 3; round += 1) {
    const first = round * LIMITS.tasksPerHost;
    for (let task = first; task < first + LIMITS.tasksPerHost; task += 1) take(1, task);
    expect(tasksOf(1)).toBe(LIMITS.tasksPerHost);
    for (let task = first; task < first + LIMITS.tasksPerHost; task += 1) leave(1, task);
  }
  expect(tasksOf(1)).toBe(LIMITS.tasksPerHost);
  expect(ended).toHaveLength(2 * LIMITS.tasksPerHost);
  expect(ended[0]).toBe(0);
});

test('so do the pieces of it', () => {
  const { take, leave, ended } = scene();
  take(1, 1, true, LIMITS.piecesPerHost);
  expect(() => take(1, 2, true, 1)).toThrow('no more are taken');
  leave(1, 1);
  take(1, 2, true, 1);
  expect(ended).toEqual([1]);
});

test('what another host takes up counts no more for the one that left it', () => {
  const { take, leave, tasksOf } = scene();
  take(1, 1);
  leave(1, 1);
  take(2, 1);
  expect([tasksOf(1), tasksOf(2)]).toEqual([0, 1]);
  leave(2, 1);
  expect([tasksOf(1), tasksOf(2)]).toEqual([0, 1]);
});

test('a host that has left a task to others is not charged for it', () => {
  const { take, leave, tasksOf } = scene();
  take(1, 1);
  take(2, 1);
  leave(1, 1);
  expect([tasksOf(1), tasksOf(2)]).toEqual([0, 1]);
});

test('where there are too many in all, what was left longest ago goes first', () => {
  const { take, leave, makeRoom, ended } = scene();
  for (const task of [1, 2, 3]) take(1, task);
  leave(1, 2);
  leave(1, 1);
  take(2, 9);
  expect(makeRoom(2, 9)).toBe(true);
  expect(makeRoom(2, 9)).toBe(true);
  expect(ended).toEqual([2, 1]);
});

test('then a task of the host that has most by itself, a resting one before one that it wants', () => {
  const { take, makeRoom, ended } = scene();
  for (const task of [1, 2, 3, 4]) take(1, task, task !== 3);
  for (const task of [11, 12]) take(2, task);
  take(3, 21);
  expect(makeRoom(3, 21)).toBe(true);
  expect(makeRoom(3, 21)).toBe(true);
  expect(ended).toEqual([3, 1]);
});

test('tasks that several hosts are in end for nobody', () => {
  const { take, makeRoom, ended } = scene();
  for (const task of [1, 2, 3, 4]) for (const host of [1, 2]) take(host, task);
  take(3, 21);
  expect(makeRoom(3, 21)).toBe(false);
  expect(ended).toEqual([]);
});

test('a host that has most is given room only where one of its own rests', () => {
  const { take, makeRoom, ended } = scene();
  for (const task of [1, 2, 3]) take(1, task);
  take(2, 11);
  take(1, 4);
  expect(makeRoom(1, 4)).toBe(false);
  take(1, 2, false);
  // Not the one that it asks for.
  take(1, 4, false);
  expect(makeRoom(1, 4)).toBe(true);
  expect(ended).toEqual([2]);
});

test('whatever hosts do: each task counts for those in it, or for the last who left it, and for nobody once it ended', () => {
  const step = fc.record({
    verb: fc.constantFrom('take', 'leave', 'ended', 'room'),
    host: fc.nat({ max: 3 }),
    task: fc.nat({ max: 5 }),
    pieces: fc.nat({ max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { quota, take, leave, makeRoom, ended } = scene();
      const inside = new Map<number, Set<number>>();
      const left = new Map<number, number>();
      for (const { verb, host, task, pieces } of steps) {
        const hosts = inside.get(task) ?? new Set();
        if (verb === 'take') {
          take(host, task, true, pieces);
          inside.set(task, hosts.add(host));
          left.delete(task);
        }
        if (verb === 'leave') {
          leave(host, task);
          if (hosts.delete(host) && hosts.size === 0) left.set(task, host);
        }
        if (verb === 'ended') quota.ended(taskAt(task));
        const gone = verb === 'room' && makeRoom(host, 99) ? ended.at(-1) : undefined;
        if (gone !== undefined) expect((inside.get(gone)?.size ?? 0) <= 1).toBe(true);
        for (const over of verb === 'ended' ? [task] : gone === undefined ? [] : [gone]) {
          inside.delete(over);
          left.delete(over);
        }
      }
      for (let host = 0; host <= 3; host += 1) {
        const own = [0, 1, 2, 3, 4, 5].filter(
          (task) => inside.get(task)?.has(host) || left.get(task) === host,
        );
        expect([...quota.tasksOf(hostId(host))].sort()).toEqual(own.map(taskAt));
      }
    }),
    { numRuns: 300 },
  );
});
