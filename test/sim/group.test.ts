import { expect, test } from 'vitest';
import { groupHistory } from '../../sim/group/model.ts';

/** More of them: `npm run group -- 0 10000`. */
const SEEDS = 60;
/** Each found a fault once: a look at an owner, kept while the process stood still, told of nothing that came after. */
const FOUND = [9440];

test('whatever dies, stands still, jumps or is lost: no epoch is shared or goes back, and all end up served', async () => {
  for (const seed of [...Array(SEEDS).keys(), ...FOUND]) {
    const { fault, lines } = await groupHistory(seed);
    expect(fault, `seed ${seed}\n${lines.join('\n')}`).toBeUndefined();
  }
});
