import { expect, test } from 'vitest';
import { Untold } from '../../../actors/scheduler/untold.ts';
import { hostId } from '../../scheduling/world.ts';

const [A, B] = [hostId(1), hostId(2)];

test('who came and has not told is asked after a while, a few times', () => {
  const untold = new Untold();
  untold.came(A, 0);
  const asked: number[] = [];
  for (let nowMs = 0; nowMs < 100_000; nowMs += 500) if (untold.due(nowMs).length > 0) asked.push(nowMs);
  expect(asked).toEqual([5_000, 15_000, 25_000]);
});

test('who told, or is gone, is not asked', () => {
  const untold = new Untold();
  untold.came(A, 0);
  untold.came(B, 0);
  untold.done(A);
  expect(untold.due(5_000)).toEqual([B]);
});
