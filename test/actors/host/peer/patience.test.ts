import { describe, expect, test } from 'vitest';
import { Patience } from '../../../../actors/host/peer/patience.ts';
import { LIMITS } from '../../../../core/limits.ts';

function scene() {
  const clock = { now: () => nowMs };
  const random = { next: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
  let nowMs = 0;
  const patience = new Patience(clock, random);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { patience, pass };
}

describe('how long a peer waits for its scheduler', () => {
  test('is two of the intervals that it asked for, and a second at least', () => {
    const { patience } = scene();
    expect(patience.timeoutMs).toBe(LIMITS.syncTimeoutMs);
    patience.answered(200);
    expect(patience.timeoutMs).toBe(LIMITS.syncTimeoutMs);
    patience.answered(3_000);
    expect(patience.timeoutMs).toBe(6_000);
  });

  test('is twice as long after each sync that was not answered, up to a bound, and the next comes later too', () => {
    const { patience, pass } = scene();
    patience.answered(50);
    pass(LIMITS.adriftAfterMs);
    const seen: [number, number][] = [];
    for (let lost = 0; lost < 6; lost += 1) {
      patience.lost();
      seen.push([patience.timeoutMs, patience.intervalMs]);
    }
    expect(seen).toEqual([
      [2_000, 250],
      [4_000, 500],
      [4_000, 1_000],
      [4_000, 2_000],
      [4_000, 4_000],
      [4_000, 4_000],
    ]);
    patience.answered(50);
    expect([patience.timeoutMs, patience.intervalMs]).toEqual([LIMITS.syncTimeoutMs, 50]);
  });

  test('ends when nobody is waited for any more', () => {
    const { patience, pass } = scene();
    patience.answered(50);
    pass(1_250.5);
    patience.lost();
    expect(patience.timeoutMs).toBe(1_750);
    pass(1_500);
    expect(patience.timeoutMs).toBe(LIMITS.syncTimeoutMs);
  });

  test('begins anew where another scheduler took over', () => {
    const { patience } = scene();
    patience.answered(50);
    for (let lost = 0; lost < 6; lost += 1) patience.lost();
    patience.renewed();
    expect([patience.timeoutMs, patience.intervalMs]).toEqual([LIMITS.syncTimeoutMs, 50]);
  });

  test('is over when it was silent for three seconds, or three of its intervals', () => {
    const { patience, pass } = scene();
    patience.answered(50);
    pass(LIMITS.adriftAfterMs - 1);
    expect(patience.isOver).toBe(false);
    pass(1);
    expect(patience.isOver).toBe(true);
    patience.answered(2_000);
    pass(5_999);
    expect([patience.isOver, patience.isHeard]).toEqual([false, true]);
    pass(1);
    expect(patience.isOver).toBe(true);
  });

  test('is shorter before the first answer', () => {
    const { patience, pass } = scene();
    pass((LIMITS.firstSyncMinMs + LIMITS.firstSyncMaxMs) / 2);
    expect([patience.isFirst, patience.isOver]).toEqual([true, true]);
    patience.answered();
    expect([patience.isFirst, patience.isOver]).toEqual([false, false]);
  });

  test('goes on where a scheduler asks to wait: it is there, and is asked when it says', () => {
    const { patience, pass } = scene();
    patience.answered(50);
    patience.lost();
    pass(2_900);
    patience.told(800);
    expect(patience.intervalMs).toBe(800);
    pass(2_900);
    expect(patience.isOver).toBe(false);
    patience.told(1_001.3);
    expect(Number.isInteger(patience.timeoutMs)).toBe(true);
    patience.told(1e9);
    expect(patience.intervalMs).toBe(LIMITS.syncMostIntervalMs);
  });
});
