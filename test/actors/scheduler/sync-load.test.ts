import { describe, expect, test } from 'vitest';
import { SyncLoad } from '../../../actors/scheduler/sync-load.ts';
import { LIMITS } from '../../../core/limits.ts';

/** A scheduler that is so busy, and reads what is so old. */
function scene(use = true) {
  const at = { nowMs: 0, busyMs: 0, ageMs: 0 };
  const backlog = {
    get ageMs() {
      return at.ageMs;
    },
    get aboutMs() {
      return at.ageMs;
    },
  };
  const load = new SyncLoad({
    clock: { now: () => at.nowMs },
    backlog,
    use: use ? () => ({ busyMs: at.busyMs, cpuMs: at.busyMs }) : undefined,
  });
  /** Half a second, for that share of it busy, with so many syncs of so many peers. */
  const look = (share: number, syncs: number, wanting: number) => {
    at.nowMs += 500;
    at.busyMs += 500 * share;
    for (let sync = 0; sync < syncs; sync += 1) load.synced();
    load.look(wanting);
  };
  return { at, load, look };
}

describe('the time between two syncs of a host', () => {
  test('is what the number of hosts makes it while the scheduler has time', () => {
    const { load, look } = scene();
    look(0.3, 10, 8);
    expect(load.intervalMs(8)).toBe(LIMITS.syncMinIntervalMs);
    expect(load.intervalMs(1_000)).toBe(200);
  });

  test('is what the scheduler could answer where it was too busy, however often hosts asked', () => {
    const { load, look } = scene();
    // A thousand peers at 2,000 syncs a second: it takes 1.43 times as long to have 30 % of the time left.
    look(1, 1_000, 1_000);
    expect(load.intervalMs(1_000)).toBe(715);
    // Hosts have not heard of it yet: it is not doubled again.
    look(1, 1_000, 1_000);
    expect(load.intervalMs(1_000)).toBe(715);
    // They have.
    look(0.7, 700, 1_000);
    expect(load.intervalMs(1_000)).toBe(715);
  });

  test('is longer where what is read is old, up to a bound', () => {
    const { at, load, look } = scene();
    at.ageMs = 200;
    look(1, 1_000, 1_000);
    expect(load.intervalMs(1_000)).toBe(1_429);
    at.ageMs = 60_000;
    look(1, 10, 3_000);
    expect(load.intervalMs(3_000)).toBe(LIMITS.syncMostIntervalMs);
  });

  test('is short again by degrees, and where nobody wants anything', () => {
    const { load, look } = scene();
    look(1, 1_000, 1_000);
    look(0.1, 700, 1_000);
    const after = load.intervalMs(1_000);
    expect(after).toBeLessThan(715);
    expect(after).toBeGreaterThan(500);
    for (let looks = 0; looks < 20; looks += 1) look(0.1, 0, 0);
    expect(load.intervalMs(8)).toBe(LIMITS.syncMinIntervalMs);
  });

  test('follows the age of what is read alone, where nobody knows how busy the process is', () => {
    const { at, load, look } = scene(false);
    look(1, 1_000, 1_000);
    expect(load.intervalMs(8)).toBe(LIMITS.syncMinIntervalMs);
    at.ageMs = 300;
    look(1, 1_000, 1_000);
    expect(load.intervalMs(8)).toBe(1_000);
  });
});

test('what is shed goes in an order, and what nobody waits for is late', () => {
  const { at, load } = scene();
  const shed = () => (['presence', 'progress', 'starving'] as const).filter((what) => load.sheds(what));
  expect(shed()).toEqual([]);
  at.ageMs = 150;
  expect(shed()).toEqual(['presence']);
  at.ageMs = 400;
  expect(shed()).toEqual(['presence', 'progress']);
  at.ageMs = 900;
  expect(shed()).toEqual(['presence', 'progress', 'starving']);
  expect([load.isLate(), load.isLate(800), load.isLate(2_000)]).toEqual([false, true, false]);
});
