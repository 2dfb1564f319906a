import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlotPool } from '../../../actors/host/slot-pool.ts';

test('slots are given while there are any', () => {
  const pool = new SlotPool(2);
  const nobody = () => expect.unreachable();
  expect([pool.take(nobody), pool.take(nobody), pool.take(() => {})]).toEqual([true, true, false]);
  expect({ used: pool.used, free: pool.free, total: pool.total }).toEqual({ used: 2, free: 0, total: 2 });
});

test('whoever waits longest is told first, once, and however often they asked', () => {
  const pool = new SlotPool(1);
  const told: string[] = [];
  const waiter = (name: string) => () => {
    told.push(name);
    pool.take(() => expect.unreachable());
  };
  const [first, second] = [waiter('first'), waiter('second')];
  pool.take(() => {});
  for (const who of [first, second, first]) pool.take(who);
  pool.release();
  expect(told).toEqual(['first']);
  pool.release();
  expect(told).toEqual(['first', 'second']);
  pool.release();
  expect(told).toHaveLength(2);
});

test('slots go to the task that asked first for any, and every fourth to the one that waits longest', () => {
  const pool = new SlotPool(1);
  const got: string[] = [];
  const tasks = ['first layer', 'second layer', 'third layer'].map((name) => {
    const pump = () => {
      if (pool.take(pump)) got.push(name);
    };
    return pump;
  });
  for (const pump of tasks) pump();
  // Each wants more than it will get.
  for (let round = 0; round < 11; round += 1) {
    pool.release();
    for (const pump of tasks) pump();
  }
  expect(got[0]).toBe('first layer');
  expect(got.filter((name) => name === 'first layer').length).toBeGreaterThanOrEqual(9);
  expect(got).toContain('second layer');
  expect(got).toContain('third layer');
});

test('whoever gave up waiting is not told', () => {
  const pool = new SlotPool(1);
  const told: string[] = [];
  const gone = () => void told.push('gone');
  pool.take(() => {});
  pool.take(gone);
  pool.take(() => void told.push('there'));
  pool.forget(gone);
  pool.release();
  expect(told).toEqual(['there']);
});

test('a slot that the first in line does not want is offered to the next', () => {
  const pool = new SlotPool(1);
  let got = false;
  pool.take(() => {});
  // It has nothing to fetch any more.
  pool.take(() => {});
  pool.take(() => {
    got = pool.take(() => {});
  });
  pool.release();
  expect(got).toBe(true);
});

test('never more slots are used than there are, and none idles while a task wants one', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ who: fc.nat({ max: 3 }), does: fc.constantFrom('want', 'end') }), {
        maxLength: 60,
      }),
      (total, steps) => {
        const pool = new SlotPool(total);
        const wants = [0, 0, 0, 0];
        const runs = [0, 0, 0, 0];
        const pumps = wants.map((_, who) => () => pump(who));
        function pump(who: number): void {
          while ((wants[who] ?? 0) > 0) {
            if (!pool.take(pumps[who] ?? (() => {}))) return;
            wants[who] = (wants[who] ?? 0) - 1;
            runs[who] = (runs[who] ?? 0) + 1;
          }
        }
        for (const { who, does } of steps) {
          if (does === 'want') {
            wants[who] = (wants[who] ?? 0) + 1;
            pump(who);
          } else if ((runs[who] ?? 0) > 0) {
            runs[who] = (runs[who] ?? 0) - 1;
            pool.release();
          }
          const running = runs.reduce((sum, count) => sum + count, 0);
          const waiting = wants.reduce((sum, count) => sum + count, 0);
          expect(pool.used).toBe(running);
          expect(pool.used).toBeLessThanOrEqual(total);
          if (waiting > 0) expect(pool.free).toBe(0);
        }
      },
    ),
    { numRuns: 300 },
  );
});
