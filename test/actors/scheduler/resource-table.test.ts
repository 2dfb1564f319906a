import { expect, test } from 'vitest';
import { ResourceTable } from '../../../actors/scheduler/resource-table.ts';
import type { ResourceId, TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { hostId } from '../../scheduling/world.ts';

const at = (index: number) => index.toString(16).padStart(64, '0') as ResourceId;

test('of a host that asks without end the oldest are forgotten, and none of another', () => {
  const table = new ResourceTable();
  const other = table.open(at(0), hostId(2));
  for (let index = 1; index <= LIMITS.resourcesPerHost + 100; index += 1) table.open(at(index), hostId(1));
  expect(table.size).toBe(LIMITS.resourcesPerHost + 1);
  expect(table.open(at(0), hostId(1))).toBe(other);
  expect(table.size).toBe(LIMITS.resourcesPerHost);
});

test('all together are no more than can be kept', () => {
  const table = new ResourceTable();
  for (let host = 0; host < 10; host += 1) {
    for (let index = 0; index < LIMITS.resourcesPerHost; index += 1)
      table.open(at(host * LIMITS.resourcesPerHost + index), hostId(host));
  }
  expect(table.size).toBe(LIMITS.resources);
});

test('a host that comes and goes leaves no more URLs behind than one that stays', () => {
  const table = new ResourceTable();
  const probed = { length: 5, etag: '"1"', ranges: true, audience: 'public' as const };
  const taskId = `url-${'ab'.repeat(32)}` as TaskId;
  const request = { incarnation: 1, url: 'http://o.example/a', credentials: false, mayReadOrigin: true };
  let index = 0;
  for (let life = 0; life < 2; life += 1) {
    for (let each = 0; each < LIMITS.resourcesPerHost; each += 1) {
      index += 1;
      const outcome = { kind: 'found' as const, taskId, probed, readingBytes: 0 };
      const resource = table.open(at(index), hostId(1));
      resource.resolve(hostId(1), { ...request, ask: index, maxStaleMs: 0, outcome }, 0, 0);
    }
    table.lose(hostId(1));
  }
  expect(table.size).toBe(LIMITS.resourcesPerHost);
  // What is known serves the next who asks, and is not its first finder's any more.
  const kept = table.open(at(index), hostId(2));
  expect(kept.isAnswered).toBe(true);
  for (let each = 0; each < LIMITS.resourcesPerHost; each += 1) table.open(at(100_000 + each), hostId(1));
  expect(table.open(at(index), hostId(2))).toBe(kept);
});

test('what only a lost host asked for goes with it, and what another waits for stays', () => {
  const table = new ResourceTable();
  table.open(at(1), hostId(1));
  const both = table.open(at(2), hostId(1));
  table.open(at(2), hostId(2));
  table.lose(hostId(1));
  expect(table.size).toBe(1);
  expect(table.open(at(2), hostId(2))).toBe(both);
  table.lose(hostId(2));
  expect(table.size).toBe(0);
});
