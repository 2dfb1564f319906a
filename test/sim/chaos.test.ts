import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../core/limits.ts';
import { runChaos, TROUBLES } from './chaos.ts';

const SEEDS_EACH = 3;
const cases = TROUBLES.map((trouble, index) => ({
  trouble,
  seeds: Array.from({ length: SEEDS_EACH }, (_, at) => index + at * TROUBLES.length),
}));

describe.each(cases)(
  'while messages are lost, doubled and overtaken, and: $trouble',
  ({ trouble, seeds }) => {
    test.each(seeds)('every surviving download ends with the right bytes (seed %i)', async (seed) => {
      const run = await runChaos(seed, trouble);
      const about = `seed ${seed}: ${run.copies.toFixed(2)} copies in ${Math.round(run.endedMs)} virtual ms`;
      expect(run.failures, about).toEqual([]);
      expect(run.wrong, about).toBe(0);
      // Without a scheduler hosts agree without a word on who reads what; never does each read all for itself.
      expect(run.copies, about).toBeLessThan(run.sim.hosts.length - 1);
    });
  },
);

describe.each([
  { trouble: 'messages' as const, seeds: [0, 7] },
  { trouble: 'scheduler restarts' as const, seeds: [2, 16, 30, 37] },
  { trouble: 'links are cut' as const, seeds: [5, 12] },
])('while no message is lost, and: $trouble', ({ trouble, seeds }) => {
  // The content is small here: what is in flight at a crash is a tenth of it, where it is a hundredth of a real file.
  // A scheduler just born has one piece of each host read again, to prove what that host read before.
  test.each(seeds)('the origin is read at most 1.15 times, and what proves (seed %i)', async (seed) => {
    const run = await runChaos(seed, trouble, true);
    const proofs = trouble === 'scheduler restarts' ? run.sim.hosts.length * LIMITS.pieceMinBytes : 0;
    const about = `seed ${seed}: ${run.copies.toFixed(3)} copies`;
    expect(run.failures, about).toEqual([]);
    expect(run.copies, about).toBeLessThanOrEqual(1.15 + proofs / run.content.bytes.length);
  });
});
