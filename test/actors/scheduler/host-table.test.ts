import { expect, test } from 'vitest';
import { HostTable } from '../../../actors/scheduler/host-table.ts';
import type { Alive } from '../../../core/host-messages.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';

const host = (index: number) => index.toString(16).padStart(32, '0') as HostId;
const alive = (more: Partial<Alive> = {}): Alive => ({
  incarnation: 1,
  ip: '10.0.0.1',
  port: 7400,
  role: 'normal',
  version: '1',
  uploading: 0,
  downloading: 0,
  slotsUp: 12,
  slotsDown: 20,
  cachedBytes: 0,
  cachedTasks: 0,
  ...more,
});

test('a host is new once, known from then on, and reborn with another incarnation', () => {
  const table = new HostTable();
  expect(table.hear(host(1), alive(), 0)).toBe('new');
  expect(table.hear(host(1), alive({ port: 7401 }), 1)).toBe('known');
  expect(table.address(host(1))).toEqual({ hostId: host(1), ip: '10.0.0.1', port: 7401 });
  expect(table.hear(host(1), alive({ incarnation: 2 }), 2)).toBe('reborn');
  expect(table.hear(host(1), alive({ incarnation: 2 }), 3)).toBe('known');
  expect(table.size).toBe(1);
});

test('a host that is not heard of for too long is gone, and new when it comes back', () => {
  const table = new HostTable();
  table.hear(host(1), alive(), 0);
  table.hear(host(2), alive(), 1_000);
  expect(table.sweep(LIMITS.hostGoneMs)).toEqual([]);
  expect(table.sweep(LIMITS.hostGoneMs + 1).map(({ hostId }) => hostId)).toEqual([host(1)]);
  expect([...table.rows()].map(({ hostId }) => hostId)).toEqual([host(2)]);
  expect(table.hear(host(1), alive(), LIMITS.hostGoneMs + 2)).toBe('new');
});

test('of a host nobody knows there is no address, and its role is normal', () => {
  const table = new HostTable();
  expect(table.address(host(1))).toBeUndefined();
  expect(table.get(host(1))).toBeUndefined();
  expect(table.role(host(1))).toBe('normal');
  table.hear(host(1), alive({ role: 'seed' }), 0);
  expect(table.role(host(1))).toBe('seed');
  table.remove(host(1));
  expect(table.role(host(1))).toBe('normal');
});

test('an address book names seeds first, then who was heard of last, never the asker, and is bounded', () => {
  const table = new HostTable();
  for (let index = 1; index <= 100; index += 1) {
    table.hear(host(index), alive({ role: index % 50 === 0 ? 'seed' : 'normal' }), index);
  }
  const book = table.addressBook(host(99)).map(({ hostId }) => Number.parseInt(hostId, 16));
  expect(book).toHaveLength(LIMITS.addressBookHosts);
  expect(book.slice(0, 4)).toEqual([100, 50, 98, 97]);
});
