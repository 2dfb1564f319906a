import { expect, test } from 'vitest';
import { boundSeconds, boundSlots } from './bound.ts';
import { runFluid } from './fluid-model.ts';
import { runSlotted } from './slotted-model.ts';

const LAB = { pieces: 512, pieceBytes: 256 * 1024, linkBytesPerSec: 6_250_000 };

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

test('the bound is the number of pieces plus the doublings that reach all hosts', () => {
  expect(boundSlots(256, 100)).toBe(262);
  expect(boundSlots(64, 1)).toBe(64);
  expect(boundSlots(0, 8)).toBe(0);
  const content = { lengthBytes: 2 ** 30, pieces: 256, hosts: 1000, linkBytesPerSec: 1.25e9 };
  expect(boundSeconds(content)).toBeCloseTo(0.889, 3);
});

test('over equal slots 100 hosts fetch 256 pieces at 0.98 of the bound or better, and read the origin once', () => {
  for (const seed of [1, 2, 3]) {
    const { slots, copies } = runSlotted({ hosts: 100, pieces: 256, source: 'origin', seed });
    const efficiency = boundSlots(256, 100) / slots;
    expect(efficiency, `${slots} slots, ${efficiency.toFixed(3)} of the bound`).toBeGreaterThanOrEqual(0.98);
    expect(copies).toBeLessThanOrEqual(1.02);
  }
});

test('a seed gives each piece once before any twice', () => {
  const { slots, copies } = runSlotted({ hosts: 100, pieces: 256, source: 'seed', seed: 4 });
  expect(boundSlots(256, 100) / slots).toBeGreaterThanOrEqual(0.98);
  expect(copies, `${copies} copies in ${slots} slots`).toBeLessThanOrEqual(slots / 256);
});

test.each([
  { hosts: 1, most: 1.02 },
  { hosts: 2, most: 1.04 },
  { hosts: 4, most: 1.05 },
  { hosts: 8, most: 1.07 },
  { hosts: 16, most: 1.1 },
])(
  'over shared links $hosts hosts take at most $most of one plain download, the origin is read once',
  (lab) => {
    const runs = [1, 2, 3].map((seed) => runFluid({ ...LAB, hosts: lab.hosts, seed }));
    const ratios = runs.map(({ ratio }) => ratio);
    const said = `${lab.hosts} hosts: ${ratios.map((ratio) => ratio.toFixed(3)).join(', ')}`;
    expect(median(ratios), said).toBeLessThanOrEqual(lab.most);
    expect(Math.max(...runs.map(({ copies }) => copies))).toBe(1);
  },
);

test('uneven shares of the links cost 8 hosts no more than a tenth', () => {
  const ratios = [1, 2, 3].map((seed) => runFluid({ ...LAB, hosts: 8, seed, unfair: 1 }).ratio);
  expect(median(ratios), ratios.join(', ')).toBeLessThanOrEqual(1.1);
});
