import { expect, test } from 'vitest';
import { groupHistory } from '../../sim/group/model.ts';

/** More of them: `npm run group -- 0 10000`. */
const SEEDS = 60;

test(`in ${SEEDS} histories of joins, deaths, pauses, jumps and losses no epoch is shared or goes back, and all are served`, async () => {
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const { fault, lines } = await groupHistory(seed);
    expect(fault, `seed ${seed}\n${lines.join('\n')}`).toBeUndefined();
  }
});
