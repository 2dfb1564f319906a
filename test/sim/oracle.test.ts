import { expect, test } from 'vitest';
import { FAULTS } from './oracle/faults.ts';
import { faultsOf, isWasteful, judge } from './oracle/oracle.ts';

/** Kinds of faults with which the promise is kept. */
const KEPT = [
  'nothing goes wrong',
  'messages are lost, doubled and late',
  'hosts are frozen',
  'hosts are killed',
  'a parent lies',
  'the scheduler is lost',
  'the scheduler is restarted',
  'the scheduler is frozen',
];
/** And with which no more copies leave the origin than may. */
const THRIFTY = ['nothing goes wrong', 'hosts are frozen', 'hosts are killed'];
const SEEDS_EACH = 4;

/** The first seeds in whose history that goes wrong, and nothing else. */
function seedsOf(name: string): number[] {
  const seeds: number[] = [];
  for (let seed = FAULTS.findIndex((fault) => fault.name === name); seeds.length < SEEDS_EACH; ) {
    if (faultsOf(seed).length === 1) seeds.push(seed);
    seed += FAULTS.length;
  }
  return seeds;
}

const cases = KEPT.flatMap((name) => seedsOf(name).map((seed) => ({ name, seed })));

test.each(cases)(
  'a get ends right within two plain downloads and 15 s, though $name (seed $seed)',
  async ({ seed, name }) => {
    const verdict = await judge(seed);
    expect(verdict.failures).toEqual([]);
    if (THRIFTY.includes(name)) expect(isWasteful(verdict), `${verdict.copies} copies`).toBe(false);
  },
);

test('one seed replays one history', async () => {
  const [one, again, other] = [await judge(1), await judge(1), await judge(2)];
  expect(one.sim.history()).toBe(again.sim.history());
  expect(one.sim.history()).not.toBe(other.sim.history());
});
