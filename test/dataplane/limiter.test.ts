import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLimiter } from '../../dataplane/limiter.ts';

/** A clock that jumps from timer to timer. */
function steppedClock() {
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs: number, run: () => void) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    /** Runs the next timer; false where there is none. */
    step(): boolean {
      timers.sort((a, b) => a.atMs - b.atMs);
      const next = timers.shift();
      if (next === undefined) return false;
      nowMs = next.atMs;
      next.run();
      return true;
    },
  };
}

test('takes pass in order and never faster than the rate', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1_000, max: 100_000_000 }),
      fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 50 }),
      async (bytesPerSec, takes) => {
        const clock = steppedClock();
        const limiter = createLimiter(bytesPerSec, clock);
        const passed: number[] = [];
        const all = takes.map(async (bytes, index) => {
          await limiter.take(bytes);
          passed.push(index);
        });
        await Promise.resolve();
        while (clock.step()) await Promise.resolve();
        await Promise.all(all);
        expect(passed).toEqual(takes.map((_, index) => index));
        const total = takes.reduce((sum, bytes) => sum + bytes, 0);
        const last = takes.at(-1) ?? 0;
        expect(total - last).toBeLessThanOrEqual((clock.now() / 1000) * bytesPerSec + bytesPerSec / 4 + 1);
      },
    ),
  );
});

test('a take of nothing waited for is answered at once', () => {
  const clock = steppedClock();
  const limiter = createLimiter(1_000_000, clock);
  expect(limiter.take(100_000)).toBeUndefined();
  expect(limiter.take(1_000_000)).toBeUndefined();
  expect(limiter.take(1)).toBeInstanceOf(Promise);
});

test('many transfers share a small limit in small steps', () => {
  expect(createLimiter(1, steppedClock()).quantumBytes).toBe(4096);
  expect(createLimiter(64 * 100_000, steppedClock()).quantumBytes).toBe(100_000);
  expect(createLimiter(10e9, steppedClock()).quantumBytes).toBe(1024 * 1024);
});
