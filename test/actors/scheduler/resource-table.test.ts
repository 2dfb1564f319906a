import { expect, test } from 'vitest';
import { ResourceTable } from '../../../actors/scheduler/resource-table.ts';
import type { ResourceId } from '../../../core/ids.ts';
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
