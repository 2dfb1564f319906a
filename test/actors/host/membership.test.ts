import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { Membership } from '../../../actors/host/membership.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';

const host = (index: number) => index.toString(16).padStart(32, '0') as HostId;
const WALL_MS = 1_000_000_000_000;
const clock = { now: () => 0, wall: () => WALL_MS };
const address = (index: number, ip = '10.0.0.1') => ({ hostId: host(index), ip, port: 7400 });

test('an epoch older than one accepted is refused, in each partition by itself', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ partition: fc.nat({ max: 3 }), epoch: fc.nat({ max: 20 }) })),
      (words) => {
        const membership = new Membership(clock);
        const largest = new Map<number, number>();
        for (const { partition, epoch } of words) {
          const known = largest.get(partition) ?? 0;
          expect(membership.acceptEpoch(partition, epoch)).toBe(epoch >= known);
          largest.set(partition, Math.max(known, epoch));
          expect(membership.epoch(partition)).toBe(largest.get(partition));
        }
      },
    ),
  );
});

test('the address book is what a scheduler said last, and for a minute those that one named before', () => {
  let nowMs = 0;
  const membership = new Membership({ ...clock, now: () => nowMs });
  expect(membership.addressBook).toEqual([]);
  membership.know([address(1), address(2)]);
  nowMs = 30_000;
  membership.know([address(2, '10.0.0.2'), address(3)]);
  expect(membership.addressBook).toEqual([address(2, '10.0.0.2'), address(3), address(1)]);
  nowMs = 60_000;
  // A scheduler just born knows nobody yet.
  membership.know([]);
  expect(membership.addressBook).toEqual([address(2, '10.0.0.2'), address(3)]);
});

test('hosts that were named before leave room for those that a scheduler names', () => {
  const membership = new Membership(clock);
  membership.know([address(1), address(2)]);
  const named = Array.from({ length: LIMITS.addressBookHosts - 1 }, (_, index) => address(index + 3));
  membership.know(named);
  expect(membership.addressBook).toEqual([...named, address(1)]);
});

const DAY_MS = 86_400_000;

test('an epoch more than a day ahead of the own clock is refused, and fences nobody off', () => {
  const told = vi.fn();
  const membership = new Membership(clock, told);
  expect(membership.acceptEpoch(0, 2 ** 53 - 1)).toBe(false);
  expect(membership.acceptEpoch(0, WALL_MS + DAY_MS + 1)).toBe(false);
  expect(membership.refused).toMatchObject({ why: 'ahead', against: WALL_MS });
  expect(membership.acceptEpoch(0, WALL_MS + DAY_MS)).toBe(true);
  expect(membership.epoch(0)).toBe(WALL_MS + DAY_MS);
  expect(told).toHaveBeenCalledTimes(2);
});

test('that an older epoch was refused is told once, and stands until that partition has a scheduler again', () => {
  const told = vi.fn();
  const membership = new Membership(clock, told);
  membership.acceptEpoch(3, 7);
  for (let time = 0; time < 5; time += 1) expect(membership.acceptEpoch(3, 5)).toBe(false);
  const refused = { why: 'older', epoch: 5, against: 7 };
  expect(told.mock.calls).toEqual([[refused]]);
  expect(membership.refused).toMatchObject(refused);
  expect(membership.refusedIn(3)).toMatchObject(refused);
  expect(membership.refusedIn(4)).toBeUndefined();
  expect(membership.acceptEpoch(4, 9)).toBe(true);
  expect(membership.refused).toMatchObject(refused);
  expect(membership.acceptEpoch(3, 8)).toBe(true);
  expect(membership.refused).toBeUndefined();
});

test('a refusal that was not repeated for ten minutes is not told any more', () => {
  let nowMs = 0;
  const membership = new Membership({ now: () => nowMs, wall: () => WALL_MS });
  membership.acceptEpoch(0, WALL_MS + 2 * DAY_MS);
  nowMs = 600_000;
  expect(membership.refused).toBeDefined();
  nowMs += 1;
  expect(membership.refused).toBeUndefined();
});

test('when a scheduler shows another time than the one before, both are taken for the time, for a minute', () => {
  let nowMs = 0;
  const wallMs = 1_000_000_000_000;
  const membership = new Membership({ now: () => nowMs, wall: () => wallMs + nowMs });
  expect(membership.walls).toEqual([wallMs]);
  membership.compareClock(wallMs + 3_600_000);
  expect(membership.walls).toEqual([wallMs + 3_600_000, wallMs]);
  nowMs = 1_000;
  membership.compareClock(wallMs + 3_601_000);
  membership.compareClock(wallMs + 1_000);
  expect(membership.walls).toEqual([wallMs + 1_000, wallMs + 3_601_000]);
  nowMs = 61_001;
  expect(membership.walls).toEqual([wallMs + 61_001]);
});
