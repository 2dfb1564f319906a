import { describe, expect, test } from 'vitest';
import { Bitfield } from '../../core/bitfield.ts';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Joined, Ledger } from '../../scheduling/ledger.ts';
import type { Failed } from '../../scheduling/ledger-types.ts';
import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { hostId, seeded } from './world.ts';

const [a, b, c, d] = [hostId(1), hostId(2), hostId(3), hostId(4)] as [HostId, HostId, HostId, HostId];
const KIB = 1024;

interface Setup {
  readonly pieces?: number;
  readonly ranges?: boolean;
  readonly known?: boolean;
  readonly pieceLength?: number;
  readonly originReaders?: number;
}

function ledgerWith(setup: Setup = {}): { ledger: Ledger; slots: SlotTable } {
  const { pieces = 20, ranges = true, known = true, pieceLength = 256 * KIB, originReaders } = setup;
  const slots = new SlotTable();
  const geometry = known ? { length: pieces * pieceLength, pieceLength } : undefined;
  const reads = new OriginReads().task(() => undefined);
  return { slots, ledger: new Ledger({ random: seeded(7), slots, reads, geometry, ranges, originReaders }) };
}

/** The hosts of each ledger here. */
const hosts = new WeakMap<Ledger, Map<HostId, Joined>>();

function join(
  ledger: Ledger,
  host: HostId,
  mayReadOrigin = false,
  zone?: string,
  role: 'normal' | 'seed' = 'normal',
): void {
  const joined = hosts.get(ledger) ?? new Map<HostId, Joined>();
  hosts.set(ledger, joined.set(host, ledger.join(host, { role, mayReadOrigin, zone })));
}

function at(ledger: Ledger, host: HostId): Joined {
  const joined = hosts.get(ledger)?.get(host);
  if (joined === undefined) throw new Error('a host that never joined');
  return joined;
}

/** What a host says that has seen no set and runs nothing. */
const nothing = { running: [], queued: [], seenNumber: 0 };

function all(pieces: number): number[] {
  return Array.from({ length: pieces }, (_, piece) => piece);
}

function grant(ledger: Ledger, host: HostId, slots: number, more: object = {}): void {
  const demand = { nowMs: 0, slots, bytesPerSec: 0, setNumber: 1, ...more };
  at(ledger, host)
    .sync({ ...nothing, nowMs: demand.nowMs })
    .grant(demand);
}

function sync(
  ledger: Ledger,
  host: HostId,
  running: number[],
  queued: number[],
  seenNumber = 1,
  nowMs = 0,
): void {
  at(ledger, host).sync({ running, queued, seenNumber, nowMs });
}

function fail(ledger: Ledger, host: HostId, failure: Failed, nowMs: number): void {
  at(ledger, host).sync({ ...nothing, failures: [failure], nowMs });
}

function leased(ledger: Ledger, host: HostId): number[] {
  return ledger.leasesOf(host).flatMap(({ first, count }) => all(count).map((at) => first + at));
}

test('a lease that the child has seen and neither runs nor queues is free again, one it has not seen stays', () => {
  const { ledger } = ledgerWith();
  join(ledger, a);
  join(ledger, b);
  ledger.add(a, all(20));
  grant(ledger, b, 3);
  const [one, two, three] = leased(ledger, b) as [number, number, number];
  sync(ledger, b, [], [], 0);
  expect(leased(ledger, b)).toHaveLength(3);
  sync(ledger, b, [one], [two], 1);
  expect(leased(ledger, b)).toEqual([one, two]);
  ledger.add(b, [one]);
  expect(leased(ledger, b)).toEqual([two]);
  expect([ledger.has(b, one), ledger.has(b, three)]).toEqual([true, false]);
});

test('slots that an unseen set uses up are not given twice', () => {
  const { ledger } = ledgerWith();
  join(ledger, a);
  join(ledger, b);
  ledger.add(a, all(20));
  grant(ledger, b, 4);
  grant(ledger, b, 4, { setNumber: 2 });
  expect(leased(ledger, b)).toHaveLength(4);
});

test('a host that leaves takes its copies and its leases with it, and what only it had is read from the origin again', () => {
  const { ledger, slots } = ledgerWith({ pieces: 4 });
  join(ledger, a);
  join(ledger, b, true);
  ledger.add(a, all(4));
  grant(ledger, b, 9);
  expect(ledger.leasesOf(b).map(({ parent }) => parent)).toEqual([a, a, a, a]);
  ledger.leave(a);
  expect(leased(ledger, b)).toEqual([]);
  expect(slots.upUsed(a)).toBe(0);
  grant(ledger, b, 9);
  expect(new Set(ledger.leasesOf(b).map(({ parent }) => parent))).toEqual(new Set(['origin']));
});

test('a transfer that nobody here leased is counted, so that the piece is not fetched twice', () => {
  const { ledger } = ledgerWith({ pieces: 2 });
  join(ledger, a);
  join(ledger, b, true);
  sync(ledger, b, [0], []);
  grant(ledger, b, 9);
  expect(leased(ledger, b)).toEqual([1]);
  sync(ledger, b, [1], []);
  grant(ledger, b, 9);
  expect(leased(ledger, b).sort()).toEqual([0, 1]);
});

test('a lease is one run of adjacent pieces, within the bytes and the time that one may take', () => {
  const { ledger } = ledgerWith({ pieces: 200 });
  join(ledger, a);
  join(ledger, b);
  ledger.add(a, all(200));
  grant(ledger, b, 1, { bytesPerSec: 1e9 });
  expect(leased(ledger, b).length).toBeLessThanOrEqual(LIMITS.leaseBytes / (256 * KIB));
  expect(leased(ledger, b).length).toBeGreaterThan(1);
  join(ledger, c);
  grant(ledger, c, 1, { bytesPerSec: 4 * 512 * KIB });
  expect(leased(ledger, c)).toHaveLength(2);
  join(ledger, d);
  grant(ledger, d, 1, { bytesPerSec: 10 });
  expect(leased(ledger, d)).toHaveLength(1);
});

test('a lease is the longer the more tasks its host fetches, up to four times', () => {
  for (const [tasks, pieces] of [
    [1, 2],
    [2, 4],
    [4, 8],
    [9, 8],
  ] as const) {
    const { ledger, slots } = ledgerWith({ pieces: 200 });
    join(ledger, a);
    join(ledger, b);
    for (let other = 1; other < tasks; other += 1) slots.fetches(b, 1);
    ledger.add(a, all(200));
    grant(ledger, b, 1, { bytesPerSec: 4 * 512 * KIB });
    expect(leased(ledger, b)).toHaveLength(pieces);
  }
});

test('a lease lasts until its host is heard again, within the bytes that one may take', () => {
  for (const [intervalMs, pieces] of [
    [50, 2],
    [500, 8],
    [5_000, 16],
  ] as const) {
    const { ledger } = ledgerWith({ pieces: 200 });
    for (const host of [a, b]) join(ledger, host);
    ledger.add(a, all(200));
    grant(ledger, b, 1, { bytesPerSec: 4 * 512 * KIB, intervalMs });
    expect(leased(ledger, b)).toHaveLength(pieces);
  }
});

test('a host that is heard seldom is given as much of the origin as it reads meanwhile', () => {
  const read = (intervalMs: number) => {
    const { ledger } = ledgerWith({ pieces: 200 });
    join(ledger, a, true);
    grant(ledger, a, 24, { bytesPerSec: 4 * 1024 * KIB, intervalMs });
    return leased(ledger, a).length;
  };
  expect(read(2_000)).toBeGreaterThanOrEqual(4 * 4 * 4);
  expect(read(50)).toBeLessThan(4 * 4 * 4);
});

test('a host counts as fetching while it lacks pieces and wants them', () => {
  const { ledger, slots } = ledgerWith({ pieces: 2 });
  join(ledger, a);
  expect(slots.host(a).tasks).toBe(1);
  ledger.add(a, [0]);
  expect(slots.host(a).tasks).toBe(1);
  ledger.add(a, [1]);
  expect(slots.host(a).tasks).toBe(0);
  ledger.remove(a, [1]);
  ledger.leave(a);
  expect(slots.host(a).tasks).toBe(0);
});

test('a holder whose slot comes free is told of, once it was full', () => {
  let told = 0;
  const slots = new SlotTable();
  const reads = new OriginReads().task(() => undefined);
  const onFree = () => {
    told += 1;
  };
  const geometry = { length: 20, pieceLength: 1 };
  const ledger = new Ledger({ random: seeded(7), slots, reads, geometry, ranges: true, onFree });
  join(ledger, a);
  slots.setLimits(a, { up: 1, down: 4 });
  told = 0;
  slots.take(a, b);
  expect(told).toBe(0);
  slots.release(a, b);
  expect(told).toBe(1);
});

test('a task follows the slots of its hosts only while one of them fetches, and knows them anew when one does', () => {
  const watching = new Set<() => void>();
  class Slots extends SlotTable {
    override watch(id: HostId, changed: () => void): () => void {
      const end = super.watch(id, changed);
      watching.add(end);
      return () => {
        watching.delete(end);
        end();
      };
    }
  }
  const slots = new Slots();
  const reads = new OriginReads().task(() => undefined);
  const geometry = { length: 2, pieceLength: 1 };
  const ledger = new Ledger({ random: seeded(7), slots, reads, geometry, ranges: true });
  join(ledger, a);
  join(ledger, b);
  expect(watching.size).toBe(2);
  ledger.add(a, [0, 1]);
  ledger.add(b, [0, 1]);
  expect(watching.size).toBe(0);

  for (const id of [a, b]) slots.setLimits(id, { up: 1, down: 4 });
  for (const id of [a, b]) slots.take(id, d);
  join(ledger, c);
  expect(watching.size).toBe(3);
  grant(ledger, c, 4);
  expect(leased(ledger, c)).toEqual([]);
  slots.release(a, d);
  grant(ledger, c, 4);
  expect(ledger.leasesOf(c).map(({ parent }) => parent)).toEqual([a]);
  for (const id of [a, b, c]) ledger.leave(id);
  expect(watching.size).toBe(0);
});

test('at equal load a parent of the same zone is preferred', () => {
  const { ledger } = ledgerWith({ pieces: 40 });
  join(ledger, a, false, 'east');
  join(ledger, b, false, 'west');
  join(ledger, c, false, 'west');
  ledger.add(a, all(40));
  ledger.add(b, all(40));
  grant(ledger, c, 1);
  expect(ledger.leasesOf(c)[0]?.parent).toBe(b);
});

test('an urgent piece comes first, and one that only the origin has is read next by whoever reads', () => {
  const { ledger } = ledgerWith({ pieces: 500, originReaders: 1 });
  join(ledger, a);
  join(ledger, b, true);
  join(ledger, c, true);
  ledger.add(a, all(250));
  grant(ledger, c, 1, { urgent: 123 });
  expect(ledger.leasesOf(c)[0]).toEqual({ first: 123, count: 1, parent: a });
  grant(ledger, b, 1);
  grant(ledger, c, 1, { urgent: 444, setNumber: 2 });
  sync(ledger, b, leased(ledger, b), []);
  grant(ledger, b, 1, { setNumber: 2 });
  expect(leased(ledger, b)).toContain(444);
});

test('a lone reader reads in order: one lease and one ahead at first, soon four, and two where four share the eight', () => {
  const { ledger } = ledgerWith({ pieces: 100 });
  join(ledger, a, true);
  grant(ledger, a, 20);
  expect(leased(ledger, a)).toEqual([0, 1]);
  expect(ledger.originParallel(a, 499)).toBe(1);
  expect(ledger.originParallel(a, 500)).toBe(4);
  grant(ledger, a, 20, { nowMs: 500, setNumber: 2 });
  expect(leased(ledger, a)).toEqual([0, 1, 2, 3, 4]);
  for (const host of [b, c, d]) join(ledger, host, true);
  expect(ledger.originParallel(b, 500)).toBe(2);
  grant(ledger, b, 20, { nowMs: 500 });
  expect(leased(ledger, b)).toHaveLength(3);
});

test('a child that lags behind gives less and leaves the origin to others, as long as two of them read it', () => {
  const { ledger } = ledgerWith({ pieces: 512 });
  for (const host of [a, b, c, d]) join(ledger, host, true);
  const ahead = Array.from({ length: 64 }, (_, piece) => piece);
  for (const host of [b, c]) ledger.add(host, ahead);
  ledger.add(a, [100]);
  grant(ledger, a, 20);
  expect(ledger.leasesOf(a).some(({ parent }) => parent === 'origin')).toBe(true);
  const { ledger: other } = ledgerWith({ pieces: 512 });
  for (const host of [a, b, c, d]) join(other, host, true);
  for (const host of [b, c]) other.add(host, ahead);
  other.add(a, [100]);
  for (const host of [b, c]) grant(other, host, 2);
  grant(other, a, 30);
  expect(other.leasesOf(a).filter(({ parent }) => parent === 'origin')).toEqual([]);
  // 31 pieces behind the mean of 32.25: four of its twelve slots are left.
  for (const host of [b, c, d]) grant(other, host, 30, { setNumber: 2 });
  const fromA = [b, c, d].flatMap((host) => other.leasesOf(host).filter(({ parent }) => parent === a));
  expect(fromA.length).toBeLessThanOrEqual(4);
});

test('seeds are first in line for the origin where not all may read it', () => {
  const { ledger } = ledgerWith({ originReaders: 1 });
  join(ledger, a, true);
  join(ledger, b, true, undefined, 'seed');
  grant(ledger, a, 5);
  expect(leased(ledger, a)).toEqual([]);
  grant(ledger, b, 5);
  expect(leased(ledger, b).length).toBeGreaterThan(0);
});

test('an origin that failed one reader is left to the others for a while', () => {
  const { ledger } = ledgerWith();
  join(ledger, a, true);
  join(ledger, b, true);
  grant(ledger, a, 1);
  const [first] = leased(ledger, a) as [number];
  fail(ledger, a, { first, count: 1, parent: 'origin', reason: 'origin-unavailable' }, 0);
  grant(ledger, a, 5);
  expect(leased(ledger, a)).toEqual([]);
  grant(ledger, b, 5);
  expect(leased(ledger, b).length).toBeGreaterThan(0);
  grant(ledger, a, 5, { nowMs: 600 });
  expect(leased(ledger, a).length).toBeGreaterThan(0);
});

test('a parent that failed is avoided by that child, longer each time, and by all once two cannot get at it', () => {
  const { ledger } = ledgerWith();
  for (const host of [a, b, c, d]) join(ledger, host);
  ledger.add(a, all(20));
  const failing = { first: 0, count: 1, parent: a, reason: 'stalled' } as const;
  fail(ledger, b, failing, 0);
  grant(ledger, b, 1, { nowMs: 499 });
  expect(leased(ledger, b)).toEqual([]);
  grant(ledger, d, 1, { nowMs: 499 });
  expect(leased(ledger, d)).toHaveLength(1);
  grant(ledger, b, 1, { nowMs: 500 });
  expect(leased(ledger, b)).toHaveLength(1);
  fail(ledger, c, failing, 1_000);
  grant(ledger, d, 2, { nowMs: 1_100 });
  expect(leased(ledger, d)).toHaveLength(1);
  grant(ledger, d, 2, { nowMs: 3_100 });
  expect(leased(ledger, d)).toHaveLength(2);
});

test('a parent that two children cannot get at is not left alone by one that it gave a piece of late', () => {
  const { ledger } = ledgerWith();
  for (const host of [a, b, c, d]) join(ledger, host);
  ledger.add(a, all(20));
  grant(ledger, d, 1, { nowMs: 0 });
  sync(ledger, d, leased(ledger, d), [], 1, 100);
  const failing = { first: 0, count: 1, parent: a, reason: 'unreachable' } as const;
  for (const host of [b, c]) fail(ledger, host, failing, 1_000);
  grant(ledger, d, 1, { nowMs: 1_100, setNumber: 2 });
  expect(leased(ledger, d)).toHaveLength(1);
  // Since then it was not got at from there either.
  fail(ledger, d, failing, 1_200);
  sync(ledger, d, [], [], 2, 2_000);
  grant(ledger, d, 1, { nowMs: 2_000, setNumber: 3 });
  expect(leased(ledger, d)).toEqual([]);
});

test('a child that cannot get at any holder of a piece is leased it from the origin, unless somebody is bringing it', () => {
  const { ledger } = ledgerWith({ pieces: 4 });
  for (const host of [b, c]) join(ledger, host, true);
  for (const host of [a, d]) join(ledger, host);
  ledger.add(a, [0, 1, 2, 3]);
  ledger.add(d, [0]);
  grant(ledger, c, 1);
  const [coming] = leased(ledger, c) as [number];
  at(ledger, c).sync({ running: [coming], queued: [], seenNumber: 1, nowMs: 0 });
  const failed = { first: 0, count: 4, parent: a, reason: 'unreachable' } as const;
  // Those that fail together are one failure, and a host that fails twice may only be busy.
  for (const nowMs of [0, 0, 0, 0, 600]) fail(ledger, b, failed, nowMs);
  grant(ledger, b, 9, { nowMs: 600, bytesPerSec: 1e9 });
  expect(ledger.leasesOf(b).filter(({ parent }) => parent === 'origin')).toEqual([]);
  fail(ledger, b, failed, 1_700);
  grant(ledger, b, 9, { nowMs: 1_700, bytesPerSec: 1e9 });
  const origin = ledger.leasesOf(b).filter(({ parent }) => parent === 'origin');
  const pieces = origin.flatMap(({ first, count }) => all(count).map((index) => first + index));
  expect(pieces.sort()).toEqual([1, 2, 3].filter((piece) => piece !== coming));
  // It is asked again first, when that may help.
  sync(ledger, b, [], [], 1, 9_000);
  grant(ledger, b, 9, { nowMs: 9_000, setNumber: 2 });
  expect(leased(ledger, b)).not.toEqual([]);
  expect(ledger.leasesOf(b).filter(({ parent }) => parent === 'origin')).toEqual([]);
});

test('pieces whose one holder gave a wrong one are not read from the origin while it hashes that again', () => {
  const { ledger } = ledgerWith({ pieces: 4 });
  for (const host of [b, c]) join(ledger, host, true);
  join(ledger, a);
  ledger.add(a, [0, 1, 2, 3]);
  fail(ledger, b, { first: 2, count: 1, parent: a, reason: 'corrupt' }, 0);
  for (const host of [b, c]) grant(ledger, host, 9, { nowMs: 100, bytesPerSec: 1e9 });
  expect([...leased(ledger, b), ...leased(ledger, c)]).toEqual([2]);
});

test('a piece that a parent has not is taken from its holdings', () => {
  const { ledger } = ledgerWith();
  for (const host of [a, b]) join(ledger, host);
  ledger.add(a, all(20));
  fail(ledger, b, { first: 4, count: 2, parent: a, reason: 'missing' }, 0);
  expect([ledger.has(a, 4), ledger.has(a, 5), ledger.has(a, 6)]).toEqual([false, false, true]);
});

describe('a parent that gave a wrong piece', () => {
  function warned(): Ledger {
    const { ledger } = ledgerWith();
    for (const host of [a, b, c]) join(ledger, host);
    ledger.add(a, all(20));
    grant(ledger, c, 2);
    fail(ledger, b, { first: 6, count: 1, parent: a, reason: 'corrupt' }, 0);
    return ledger;
  }

  test('gives nobody anything until it has hashed it again, and loses that piece alone', () => {
    const ledger = warned();
    expect(leased(ledger, c)).toEqual([]);
    grant(ledger, c, 2, { nowMs: 100 });
    expect(leased(ledger, c)).toEqual([]);
    expect([ledger.copies(6), ledger.copies(7)]).toEqual([0, 1]);
    fail(ledger, b, { first: 9, count: 1, parent: a, reason: 'corrupt' }, 200);
    ledger.pardon(a);
    grant(ledger, c, 2, { nowMs: 300 });
    expect(leased(ledger, c)).toHaveLength(2);
  });

  test.each(['once more after that', 'later, and never hashed it again'])(
    'serves nobody where it does so %s',
    (when) => {
      const ledger = warned();
      if (when === 'once more after that') ledger.pardon(a);
      grant(ledger, c, 2, { nowMs: 2_000 });
      const [piece] = leased(ledger, c) as [number];
      fail(ledger, c, { first: piece, count: 1, parent: a, reason: 'corrupt' }, 2_000);
      expect(ledger.copies(7)).toBe(0);
      ledger.pardon(a);
      grant(ledger, c, 2, { nowMs: 9_000 });
      expect(leased(ledger, c)).toEqual([]);
    },
  );

  test('goes on where a piece came wrong that was under way when the first one was told', () => {
    const ledger = warned();
    // It still runs that transfer when the warning has ended its lease.
    sync(ledger, c, [8], []);
    ledger.pardon(a);
    fail(ledger, c, { first: 8, count: 1, parent: a, reason: 'corrupt' }, 2_000);
    expect([ledger.copies(7), ledger.copies(8)]).toEqual([1, 0]);
    grant(ledger, c, 2, { nowMs: 3_000 });
    expect(leased(ledger, c)).toHaveLength(2);
  });
});

test('a host that lied leaves the origin to those whose pieces others may have, as long as one of them reads', () => {
  const { ledger } = ledgerWith();
  for (const host of [a, b]) join(ledger, host, true);
  grant(ledger, a, 9, { nowMs: 600 });
  const [running] = leased(ledger, a) as [number];
  expect(leased(ledger, a).length).toBeGreaterThan(1);
  sync(ledger, a, [running], leased(ledger, a).slice(1), 1, 600);
  ledger.quarantine(a);
  expect(leased(ledger, a)).toEqual([running]);
  sync(ledger, a, [], [], 1, 700);
  grant(ledger, a, 9, { nowMs: 700, setNumber: 2 });
  expect(leased(ledger, a)).toEqual([]);
  join(ledger, b, false);
  grant(ledger, a, 9, { nowMs: 800, setNumber: 3 });
  expect(leased(ledger, a)).not.toEqual([]);
});

test('a plan not begun within two seconds is taken back, a running one is not', () => {
  const { ledger, slots } = ledgerWith();
  for (const host of [a, b, c]) join(ledger, host);
  ledger.add(a, all(20));
  grant(ledger, b, 2);
  const [begun] = leased(ledger, b) as [number];
  sync(ledger, b, [begun], leased(ledger, b).slice(1));
  expect(ledger.expire(LIMITS.leaseBeginMs - 1)).toEqual([]);
  expect(ledger.expire(LIMITS.leaseBeginMs)).toEqual([b]);
  expect(leased(ledger, b)).toEqual([begun]);
  expect(slots.upUsed(a)).toBe(1);
});

test('a plan is given more time where its child tells seldom what it has begun', () => {
  const { ledger } = ledgerWith();
  for (const host of [a, b]) join(ledger, host);
  ledger.add(a, all(20));
  grant(ledger, b, 2);
  expect(ledger.expire(LIMITS.leaseBeginMs + 1_000 - 1, 1_000)).toEqual([]);
  expect(ledger.expire(LIMITS.leaseBeginMs + 1_000, 1_000)).toEqual([b]);
});

test('the next lease of the origin waits as long as the one before it brings pieces', () => {
  const { ledger } = ledgerWith();
  join(ledger, a, true);
  grant(ledger, a, 9, { bytesPerSec: 3 * 1024 * KIB });
  const held = leased(ledger, a);
  const [{ count } = { count: 0 }] = ledger.leasesOf(a);
  expect(count).toBeGreaterThan(1);
  const moving = (nowMs: number) => sync(ledger, a, held.slice(0, count), held.slice(count), 1, nowMs);
  moving(0);
  for (const nowMs of [1_500, 3_000]) {
    ledger.add(a, [held[nowMs / 1_500 - 1] ?? 0]);
    moving(nowMs);
  }
  expect(ledger.expire(3_000)).toEqual([]);
  expect(ledger.expire(20_000)).toEqual([a]);
});

test('the next lease of the origin is taken back where the one before it has stood still for two seconds', () => {
  const { ledger } = ledgerWith();
  join(ledger, a, true);
  grant(ledger, a, 9);
  const [running, ...queued] = leased(ledger, a) as [number, ...number[]];
  sync(ledger, a, [running], queued);
  expect(ledger.expire(LIMITS.leaseBeginMs - 1)).toEqual([]);
  expect(ledger.expire(LIMITS.leaseBeginMs)).toEqual([a]);
  expect(leased(ledger, a)).toEqual([running]);
});

test('in the tail a piece that takes too long is asked of another parent as well, once', () => {
  const { ledger } = ledgerWith({ pieces: 20 });
  for (const host of [a, b, c]) join(ledger, host);
  ledger.add(a, all(20));
  ledger.add(b, all(20));
  for (let round = 0; round < 30 && ledger.held(c) < 19; round += 1) {
    const nowMs = round * 10;
    sync(ledger, c, leased(ledger, c), [], round, nowMs);
    grant(ledger, c, 1, { nowMs, setNumber: round + 1 });
    ledger.add(c, leased(ledger, c));
  }
  grant(ledger, c, 1, { nowMs: 1_000, setNumber: 50 });
  const [slow] = ledger.leasesOf(c);
  sync(ledger, c, leased(ledger, c), [], 50, 1_000);
  grant(ledger, c, 5, { nowMs: 9_000, setNumber: 51 });
  grant(ledger, c, 5, { nowMs: 9_900, setNumber: 52 });
  const [, hedge, ...more] = ledger.leasesOf(c);
  expect(more).toEqual([]);
  expect(hedge).toMatchObject({ first: slow?.first, hedge: true });
  expect(hedge?.parent).not.toBe(slow?.parent);
  fail(ledger, c, { first: slow?.first ?? 0, count: 1, parent: slow?.parent ?? a, reason: 'stalled' }, 9_950);
  expect(ledger.leasesOf(c)).toEqual([{ first: slow?.first, count: 1, parent: hedge?.parent }]);
  ledger.add(c, all(20));
  expect(ledger.stats()).toMatchObject({ leases: 0, complete: 3, children: 0 });
});

test('before the tail a piece is asked of another parent as well only when it is late by seconds', () => {
  const { ledger } = ledgerWith({ pieces: 20 });
  for (const host of [a, b, c]) join(ledger, host);
  ledger.add(a, all(5));
  ledger.add(b, all(5));
  for (let round = 0; round < 30 && ledger.held(c) < 4; round += 1) {
    const nowMs = round * 10;
    sync(ledger, c, leased(ledger, c), [], round, nowMs);
    grant(ledger, c, 1, { nowMs, setNumber: round + 1 });
    ledger.add(c, leased(ledger, c));
  }
  grant(ledger, c, 1, { nowMs: 1_000, setNumber: 50 });
  const [slow] = ledger.leasesOf(c);
  sync(ledger, c, leased(ledger, c), [], 50, 1_000);
  grant(ledger, c, 5, { nowMs: 1_000 + LIMITS.hedgeLateMs, setNumber: 51 });
  expect(ledger.leasesOf(c)).toEqual([slow]);
  grant(ledger, c, 5, { nowMs: 1_001 + LIMITS.hedgeLateMs, setNumber: 52 });
  const [, hedge, ...more] = ledger.leasesOf(c);
  expect(more).toEqual([]);
  expect(hedge).toMatchObject({ first: slow?.first, hedge: true });
  expect(hedge?.parent).not.toBe(slow?.parent);
});

test('an origin without ranges is read in one stream by one host, the rest is served by peers', () => {
  const { ledger } = ledgerWith({ ranges: false, known: false });
  join(ledger, a, true);
  join(ledger, b, true);
  grant(ledger, a, 5);
  grant(ledger, b, 5);
  expect(ledger.leasesOf(a)).toEqual([{ first: 0, count: LIMITS.piecesPerTask, parent: 'origin' }]);
  expect(ledger.leasesOf(b)).toEqual([]);
  ledger.add(a, [0, 1]);
  sync(ledger, a, [2], []);
  grant(ledger, b, 5);
  expect(leased(ledger, b).sort()).toEqual([0, 1]);
  expect(ledger.complete(a)).toBe(false);
  expect(ledger.readOrigin(a, 1)).toBe(true);
  ledger.add(a, [2]);
  ledger.setGeometry({ length: 2 * 100 + 50, pieceLength: 100 });
  expect(ledger.complete(a)).toBe(true);
  expect(ledger.leasesOf(a)).toEqual([]);
});

test('the stream goes to another host when its reader fails', () => {
  const { ledger } = ledgerWith({ ranges: false });
  join(ledger, a, true);
  join(ledger, b, true);
  grant(ledger, a, 5);
  ledger.add(a, [0, 1, 2]);
  fail(ledger, a, { first: 3, count: 1, parent: 'origin', reason: 'origin-unavailable' }, 10);
  expect(ledger.leasesOf(a)).toEqual([]);
  grant(ledger, b, 1, { nowMs: 10 });
  expect(ledger.leasesOf(b)).toEqual([{ first: 0, count: 20, parent: 'origin' }]);
});

test('a length that turns out shorter takes the pieces beyond it away', () => {
  const { ledger } = ledgerWith({ known: false });
  join(ledger, a);
  join(ledger, b);
  ledger.add(a, [0, 1, 2, 7, LIMITS.piecesPerTask, -1, 2.5]);
  expect(ledger.pieces).toBe(8);
  grant(ledger, b, 9);
  ledger.setGeometry({ length: 25, pieceLength: 10 });
  expect(ledger.pieces).toBe(3);
  expect(ledger.held(a)).toBe(3);
  expect(leased(ledger, b).every((piece) => piece < 3)).toBe(true);
  at(ledger, a).hold(Bitfield.full(3));
  expect(ledger.complete(a)).toBe(true);
});

test('what a host holds can be replaced as a whole', () => {
  const { ledger } = ledgerWith({ pieces: 8 });
  join(ledger, a);
  ledger.add(a, [0, 1, 2]);
  const bits = new Bitfield(8);
  bits.add(2);
  bits.add(6);
  at(ledger, a).hold(bits);
  expect(all(8).map((piece) => ledger.copies(piece))).toEqual([0, 0, 1, 0, 0, 0, 1, 0]);
});

test('only children that could be given something are named idle', () => {
  const { ledger } = ledgerWith({ pieces: 4 });
  for (const host of [a, b, c]) join(ledger, host);
  expect([...ledger.idleChildren(0)]).toHaveLength(3);
  ledger.add(a, all(4));
  grant(ledger, b, 1);
  expect([...ledger.idleChildren(0)].map(({ host }) => host)).toEqual([c]);
  expect(ledger.parentsFor(c, 5)).toEqual([a]);
  const named = () => [...ledger.idleChildren(0)].map(({ host }) => host);
  ledger.add(c, all(4));
  expect(named()).toEqual([]);
  ledger.remove(c, [1]);
  expect(named()).toEqual([c]);
});

test('copies of a piece double: as many children fetch it as hold it, until a fetch gets stuck', () => {
  const { ledger } = ledgerWith({ pieces: 1 });
  for (const host of [a, b, c, d]) join(ledger, host);
  ledger.add(a, [0]);
  for (const host of [b, c, d]) grant(ledger, host, 4);
  expect([b, c, d].map((host) => leased(ledger, host).length)).toEqual([1, 0, 0]);
  ledger.add(b, [0]);
  for (const host of [c, d]) grant(ledger, host, 4, { nowMs: 100 });
  expect([c, d].map((host) => leased(ledger, host).length)).toEqual([1, 1]);
});

test('who waits for copies on their way to others does so for two seconds', () => {
  const { ledger } = ledgerWith({ pieces: 1 });
  for (const host of [a, b, c]) join(ledger, host);
  ledger.add(a, [0]);
  grant(ledger, b, 4);
  sync(ledger, b, [0], []);
  for (const nowMs of [0, 1_000, 1_999]) grant(ledger, c, 4, { nowMs });
  expect(leased(ledger, c)).toEqual([]);
  grant(ledger, c, 4, { nowMs: 2_000 });
  expect(leased(ledger, c)).toEqual([0]);
});

test('children of a task of many pieces fetch the same one at once', () => {
  const { ledger } = ledgerWith({ pieces: 512 });
  for (const host of [a, b, c, d]) join(ledger, host);
  ledger.add(a, [7]);
  for (const host of [b, c, d]) grant(ledger, host, 1);
  expect([b, c, d].map((host) => leased(ledger, host))).toEqual([[7], [7], [7]]);
});

test.each([
  ['a few children share twelve upload slots of a parent', 4, LIMITS.slotsUpFew],
  ['more children have one each', 14, 14],
  ['many share all that it has', 40, LIMITS.slotsUp],
])('%s', (_what, children, most) => {
  const pieces = 512;
  const { ledger, slots } = ledgerWith({ pieces });
  join(ledger, a);
  ledger.add(a, all(pieces));
  const others = Array.from({ length: children }, (_, index) => hostId(100 + index));
  for (const other of others) join(ledger, other);
  for (const other of others) grant(ledger, other, LIMITS.slotsDown);
  for (const other of others) grant(ledger, other, LIMITS.slotsDown, { setNumber: 2 });
  expect(slots.upUsed(a)).toBe(most);
});

test('a sync takes what is held and what failed before what runs is compared, and a grant returns the whole set', () => {
  const { ledger } = ledgerWith();
  join(ledger, a);
  join(ledger, b);
  ledger.add(a, all(20));
  const demand = { nowMs: 0, slots: 3, bytesPerSec: 0, setNumber: 1 };
  const set = at(ledger, b)
    .sync({ ...nothing, nowMs: 0 })
    .grant(demand);
  expect(set).toEqual(ledger.leasesOf(b));
  const [one, two, three] = set.map(({ first }) => first) as [number, number, number];
  const report = {
    added: [one],
    failures: [{ first: two, count: 1, parent: a, reason: 'missing' as const }],
  };
  const next = at(ledger, b).sync({ ...report, running: [three], queued: [], seenNumber: 1, nowMs: 10 });
  expect(leased(ledger, b)).toEqual([three]);
  expect([ledger.has(b, one), ledger.has(a, two)]).toEqual([true, false]);
  expect(
    next.grant({ ...demand, nowMs: 10, slots: 1, setNumber: 2 }).map(({ first }) => first),
  ).not.toContain(two);
});

test('a host that left says nothing more', () => {
  const { ledger } = ledgerWith();
  join(ledger, a);
  ledger.leave(a);
  expect(() => sync(ledger, a, [], [])).toThrow('a host that left');
  expect(() => at(ledger, a).hold(new Bitfield(20))).toThrow('a host that left');
});
