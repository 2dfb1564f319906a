import { expect, test } from 'vitest';
import { FAULTS } from './oracle/faults.ts';
import { faultsOf, isWasteful, judge } from './oracle/oracle.ts';

/** Kinds of faults with which no more copies leave the origin than may. */
const THRIFTY = [
  'nothing goes wrong',
  'messages are lost, doubled and late',
  'hosts are frozen',
  'hosts are killed',
  'a parent lies',
  'clocks of hosts are wrong',
  'a census of the largest epoch is forged',
];
/** Each kind comes up so often by itself or as the first of two; `npm run oracle` plays many more. */
const ROUNDS = 3;

/** Histories that were not kept once, or in which too much was read. */
const FOUND = [635, 823, 958];

const seeds = [...Array.from({ length: ROUNDS * FAULTS.length }, (_, seed) => seed), ...FOUND];
const cases = seeds.map((seed) => {
  const faults = faultsOf(seed).map(({ name }) => name);
  return {
    seed,
    what: faults.join(' and '),
    isThrifty: FOUND.includes(seed) || faults.every((name) => THRIFTY.includes(name)),
  };
});

test.each(cases)(
  'every get ends right within two plain downloads and 15 s, though $what (seed $seed)',
  async ({ seed, isThrifty }) => {
    const verdict = await judge(seed);
    expect(verdict.failures).toEqual([]);
    if (isThrifty) expect(isWasteful(verdict), `${verdict.copies} copies`).toBe(false);
  },
);

test('one seed replays one history', async () => {
  const [one, again, other] = [await judge(1), await judge(1), await judge(2)];
  expect(one.sim.history()).toBe(again.sim.history());
  expect(one.sim.history()).not.toBe(other.sim.history());
});
