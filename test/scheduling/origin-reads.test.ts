import { expect, test } from 'vitest';
import { OriginReads, type TaskReads } from '../../scheduling/origin-reads.ts';
import { hostId } from './world.ts';

const ORIGIN = 'https://registry.test';

/** Tasks of one origin that the first so many hosts would all read. */
function wanted(tasks: number, hosts: number): { all: OriginReads; tasks: TaskReads[] } {
  const all = new OriginReads();
  const made = Array.from({ length: tasks }, () => all.task(() => ORIGIN));
  for (const task of made) for (let host = 0; host < hosts; host += 1) task.want(hostId(host), true);
  return { all, tasks: made };
}

/** How many of the tasks the host is let begin, one after the other. */
function begun(tasks: readonly TaskReads[], host: number): number {
  let count = 0;
  for (const task of tasks) {
    if (!task.mayBegin(hostId(host), 0)) continue;
    task.begin(hostId(host));
    count += 1;
  }
  return count;
}

test('hosts share the tasks of an origin: the more there are, the fewer each reads at once', () => {
  for (const [hosts, most] of [
    [1, 4],
    [2, 4],
    [3, 2],
    [8, 1],
    [100, 1],
  ] as const) {
    const { tasks } = wanted(40, hosts);
    expect(begun(tasks, 0)).toBe(most);
  }
});

test('a host reads on what it reads, another origin beside it, and the next task when one is done', () => {
  const { all, tasks } = wanted(3, 8);
  const [first, second] = tasks;
  const elsewhere = all.task(() => 'https://other.test');
  expect(begun(tasks, 0)).toBe(1);
  expect(first?.mayBegin(hostId(0), 0)).toBe(true);
  expect(elsewhere.mayBegin(hostId(0), 0)).toBe(true);
  first?.begin(hostId(0));
  first?.end(hostId(0));
  expect(second?.mayBegin(hostId(0), 0)).toBe(false);
  first?.end(hostId(0));
  expect(second?.mayBegin(hostId(0), 0)).toBe(true);
});

test('tasks that were told to wait are told when a host reads one fewer, once', () => {
  const { tasks } = wanted(3, 8);
  const [first, second, third] = tasks;
  let told = 0;
  for (const task of [second, third]) if (task) task.onFree = () => (told += 1);
  first?.begin(hostId(0));
  expect(second?.mayBegin(hostId(0), 0)).toBe(false);
  first?.end(hostId(0));
  expect(told).toBe(1);
  first?.begin(hostId(0));
  first?.end(hostId(0));
  expect(told).toBe(1);
});

test('a task that nobody reads for 10 s is read beside the others, one that somebody reads is not', () => {
  const { tasks } = wanted(3, 8);
  const [slow, waiting, read] = tasks;
  slow?.begin(hostId(0));
  read?.begin(hostId(1));
  expect(waiting?.mayBegin(hostId(0), 0)).toBe(false);
  expect(waiting?.mayBegin(hostId(0), 9_999)).toBe(false);
  expect(waiting?.mayBegin(hostId(0), 10_000)).toBe(true);
  expect(read?.mayBegin(hostId(0), 0)).toBe(false);
  expect(read?.mayBegin(hostId(0), 20_000)).toBe(false);
});

test('an origin that nobody reads any more is forgotten', () => {
  const { all, tasks } = wanted(2, 2);
  tasks[0]?.begin(hostId(0));
  for (const task of tasks) for (const host of [0, 1]) task.want(hostId(host), false);
  expect(all.size).toBe(1);
  tasks[0]?.end(hostId(0));
  expect(all.size).toBe(0);
});
