import { expect, test } from 'vitest';
import { groupHistory } from '../../sim/group/model.ts';

/** More of them: `npm run group -- 0 10000`. */
const SEEDS = 60;

test('whatever dies, stands still, jumps or is lost: no epoch is shared or goes back, and all end up served', async () => {
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const { fault, lines } = await groupHistory(seed);
    expect(fault, `seed ${seed}\n${lines.join('\n')}`).toBeUndefined();
  }
});
