import { expect, test } from 'vitest';
import { backoffMs } from '../../core/backoff.ts';

const always = (value: number) => ({ next: () => value, bytes: (count: number) => new Uint8Array(count) });

test('each try in vain doubles the wait, up to a bound', () => {
  const waits = [1, 2, 3, 4, 5, 60].map((tries) => backoffMs(always(0.5), tries, 500, 5_000));
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
});

test('those who fail together wait between a half and one and a half of it', () => {
  expect(backoffMs(always(0), 1, 500, 5_000)).toBe(250);
  expect(backoffMs(always(1), 9, 500, 5_000)).toBe(7_500);
});
