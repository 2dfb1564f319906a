import { expect, test } from 'vitest';
import { stalePages, undescribedStates } from '../../scripts/docs-machines.ts';

test('the pages of machines are in step with the code (npx tsx scripts/docs-machines.ts --write)', async () => {
  expect(await stalePages()).toEqual([]);
});

test('every state has its sentence', () => {
  expect(undescribedStates()).toEqual([]);
});
