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

const numbers = (book: readonly { readonly hostId: HostId }[]) =>
  book.map(({ hostId }) => Number.parseInt(hostId, 16));

test('an address book names seeds first, then others in turn, nobody twice, never the asker, and is bounded', () => {
  const table = new HostTable();
  for (let index = 1; index <= 200; index += 1) {
    table.hear(host(index), alive({ role: index % 100 === 0 ? 'seed' : 'normal' }), index);
  }
  const seen = new Set<number>();
  for (let asker = 1; asker <= 4; asker += 1) {
    const book = numbers(table.addressBook(host(asker)));
    expect(book).toHaveLength(LIMITS.addressBookHosts);
    expect(new Set(book).size).toBe(LIMITS.addressBookHosts);
    expect(book.slice(0, 2).sort()).toEqual([100, 200]);
    expect(book).not.toContain(asker);
    for (const other of book) seen.add(other);
  }
  // Each is told to somebody.
  expect(seen.size).toBe(200);
});

test('who is gone, or is a seed from now on, stands in its place in the address book', () => {
  const table = new HostTable();
  for (let index = 1; index <= 5; index += 1) table.hear(host(index), alive(), index);
  table.remove(host(2));
  table.hear(host(4), alive({ role: 'seed' }), 6);
  const book = numbers(table.addressBook(host(9)));
  expect(book[0]).toBe(4);
  expect(book.sort()).toEqual([1, 3, 4, 5]);
  expect([...table.seeds()].map(({ hostId }) => hostId)).toEqual([host(4)]);
});

test('an address book costs no more where there are many hosts', () => {
  const table = new HostTable();
  for (let index = 1; index <= 16_000; index += 1) table.hear(host(index), alive(), index);
  const before = process.cpuUsage();
  for (let asker = 1; asker <= 2_000; asker += 1) table.addressBook(host(asker));
  const { user } = process.cpuUsage(before);
  // To sort all for each takes more than ten seconds.
  expect(user / 1e6).toBeLessThan(2);
});

test('time in which nobody could be heard is not held against anybody', () => {
  const table = new HostTable();
  table.hear(host(1), alive(), 0);
  table.excuse(10_000);
  table.hear(host(2), alive(), 10_000);
  expect(table.sweep(10_000 + LIMITS.hostGoneMs)).toEqual([]);
  expect(table.touch(host(2), 10_000 + LIMITS.hostGoneMs)).toBe(true);
  expect(table.sweep(10_001 + LIMITS.hostGoneMs).map(({ hostId }) => hostId)).toEqual([host(1)]);
  expect(table.touch(host(1), 20_000)).toBe(false);
});
