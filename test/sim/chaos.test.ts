import { describe, expect, test } from 'vitest';
import { runChaos, TROUBLES } from './chaos.ts';

const SEEDS_EACH = 4;

describe.each(TROUBLES.map((trouble, index) => ({ trouble, index })))(
  'while messages are lost, doubled and overtaken, and: $trouble',
  ({ trouble, index }) => {
    const seeds = Array.from({ length: SEEDS_EACH }, (_, at) => index + at * TROUBLES.length);
    test.each(seeds)('every surviving download ends with the right bytes (seed %i)', async (seed) => {
      const run = await runChaos(seed, trouble);
      const about = `seed ${seed}: ${run.copies.toFixed(2)} copies in ${Math.round(run.endedMs)} virtual ms`;
      expect(run.failures, about).toEqual([]);
      expect(run.wrong, about).toBe(0);
    });
  },
);
