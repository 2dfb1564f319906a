import { expect, test } from 'vitest';
import { TaskTable } from '../../../actors/scheduler/task-table.ts';
import { type HostId, PARTITIONS, type TaskId } from '../../../core/ids.ts';
import { hostId } from '../../scheduling/world.ts';
import { alive, hashes, PIECE, schedulerScene, syncOf } from './scene.ts';

const taskAt = (index: number) => `sha256-${index.toString(16).padStart(64, '0')}` as TaskId;

/** A table of three tasks at most, and hosts that read a piece of each that they open. */
async function scene() {
  const { world, pass } = schedulerScene();
  const table = new TaskTable({ world, onEpoch: () => {}, most: 3 });
  table.begin(new Map(Array.from({ length: PARTITIONS }, (_, partition) => [partition, world])));
  await pass(1);
  for (const host of [1, 2, 3]) world.hosts.hear(hostId(host), alive('normal'), 0);
  const open = async (host: HostId, task: number, wants = true) => {
    const entry = table.open(taskAt(task), host, 1, wants);
    await pass(1);
    const held = { length: PIECE, pieceLength: PIECE, have: new Uint8Array([0x80]), hashes: hashes([0]) };
    entry.actor.sync(host, syncOf(1, { ...held, wants }));
  };
  const there = () => [1, 2, 3, 4, 5, 6].filter((task) => table.get(taskAt(task)) !== undefined);
  return { table, open, there };
}

const [A, B, C] = [hostId(1), hostId(2), hostId(3)];

test('what a lost host left lives on, and makes room where there are too many', async () => {
  const { table, open, there } = await scene();
  for (const task of [1, 2, 3]) await open(A, task);
  table.lose(A, []);
  expect(there()).toEqual([1, 2, 3]);
  await open(B, 4);
  expect(there()).toEqual([2, 3, 4]);
});

test('a host that has fewest finds room, and the one with most is refused', async () => {
  const { open, there } = await scene();
  for (const task of [1, 2, 3]) await open(A, task);
  await open(B, 4);
  expect(there()).toEqual([2, 3, 4]);
  await expect(open(A, 5)).rejects.toMatchObject({ code: 'ERR_SCHED_BUSY' });
  expect(there()).toEqual([2, 3, 4]);
  await open(C, 6);
  expect(there()).toEqual([3, 4, 6]);
});

test('a task that a host is refused is not counted as its own', async () => {
  const { table, open, there } = await scene();
  for (const task of [1, 2]) await open(A, task);
  await open(B, 3);
  for (const task of [4, 5]) await expect(open(A, task)).rejects.toMatchObject({ code: 'ERR_SCHED_BUSY' });
  // Its two and no more: the next of it that ends makes room for the next of it that begins.
  table.remove(taskAt(1));
  await open(A, 4);
  expect(there()).toEqual([2, 3, 4]);
});
