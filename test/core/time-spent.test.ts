import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Doing,
  divided,
  NOTHING_SPENT,
  Stopwatch,
  spentSince,
  type TimeSpent,
  timeSpent,
  totalMs,
} from '../../core/time-spent.ts';

const DOINGS: Doing[] = ['waiting', 'origin', 'hosts', 'tail', 'cpu', 'disk'];
const sum = (time: TimeSpent) => Object.values(time).reduce((all, part) => all + part, 0);

const steps = fc.array(
  fc.record({
    doing: fc.constantFrom(...DOINGS),
    forMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
    bytes: fc.nat(50_000_000),
    heldBy: fc.constantFrom<Doing | undefined>(undefined, 'cpu', 'disk'),
  }),
  { maxLength: 40 },
);

/** Plays a download on a stopwatch. */
function played(list: readonly { doing: Doing; forMs: number; bytes: number; heldBy: Doing | undefined }[]) {
  let nowMs = 0;
  const watch = new Stopwatch(0, 'disk');
  for (const { doing, forMs, bytes, heldBy } of list) {
    watch.turn(doing, nowMs, heldBy);
    nowMs += forMs;
    watch.came(bytes);
  }
  return { watch, nowMs };
}

test('whatever a download does, the parts of its time add up to its wall time, and none is negative', () => {
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1e9, noNaN: true }), (list, bytesPerSec) => {
      const { watch, nowMs } = played(list);
      const spent = watch.spent(nowMs);
      expect(totalMs(spent)).toBeCloseTo(nowMs, 4);
      const time = timeSpent(spent, bytesPerSec);
      expect(sum(time)).toBeCloseTo(nowMs, 4);
      expect(Math.min(...Object.values(time))).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('the same holds of what was spent between two looks', () => {
  fc.assert(
    fc.property(steps, steps, (first, second) => {
      const { watch, nowMs } = played(first);
      const before = watch.spent(nowMs);
      watch.turn('hosts', nowMs);
      watch.came(second.length * 1000);
      const laterMs = nowMs + 1_234;
      const time = timeSpent(spentSince(watch.spent(laterMs), before), 5_000);
      expect(sum(time)).toBeCloseTo(1_234, 4);
    }),
  );
});

test('what the links take is taken from where the bytes came, and the rest is what the time went to', () => {
  const watch = new Stopwatch(0, 'waiting');
  watch.turn('origin', 2_000);
  watch.came(1_000_000);
  watch.turn('hosts', 12_000);
  watch.came(8_000_000);
  watch.turn('tail', 13_000);
  watch.came(1_000_000);
  watch.stop(13_500);
  const time = timeSpent(watch.spent(99_000), 8_000_000);
  expect(time).toMatchObject({ waiting: 2_000, origin: 9_875, hosts: 0, tail: 375, links: 1_250 });
});

test('the links are taken to give no less than they gave in this download', () => {
  const watch = new Stopwatch(0, 'hosts');
  watch.came(4_000_000);
  watch.stop(1_000);
  expect(timeSpent(watch.spent(1_000), 1)).toMatchObject({ links: 1_000, hosts: 0 });
});

test('bytes of a kind of time too short for them came while something else was done', () => {
  const watch = new Stopwatch(0, 'hosts');
  watch.came(1_000_000);
  watch.turn('tail', 1_500);
  watch.came(1_000_000);
  watch.stop(2_000);
  // A second each: half of the tail's lies in the time before.
  expect(timeSpent(watch.spent(2_000), 1_000_000)).toMatchObject({ links: 2_000, hosts: 0, tail: 0 });
});

test('time in which it stood still is not counted, and what held it up takes the place of what it did', () => {
  const watch = new Stopwatch(0, 'hosts');
  watch.turn('hosts', 300, 'cpu');
  watch.stop(1_000);
  watch.turn('waiting', 5_000);
  const { ms } = watch.spent(5_100);
  expect(ms).toMatchObject({ cpu: 300, hosts: 700, waiting: 100 });
});

test('a time in which downloads ran beside each other is divided as theirs are together', () => {
  const none = timeSpent(NOTHING_SPENT, 0);
  const time = divided(
    [
      { ...none, links: 30, origin: 10 },
      { ...none, links: 30, waiting: 10 },
    ],
    800,
  );
  expect(time).toEqual({ ...none, links: 600, origin: 100, waiting: 100 });
  expect(divided([], 800)).toEqual({ ...none, asking: 800 });
});
