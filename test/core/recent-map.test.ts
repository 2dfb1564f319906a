import { expect, test } from 'vitest';
import { RecentMap } from '../../core/recent-map.ts';

test('beyond its size what was not used for the longest time is forgotten', () => {
  const map = new RecentMap<string, number>(3);
  for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index);
  expect(map.get('a')).toBe(0);
  map.set('d', 3);
  expect(['a', 'b', 'c', 'd'].map((key) => map.get(key))).toEqual([0, undefined, 2, 3]);
  for (let index = 0; index < 10_000; index += 1) map.set(`x${index}`, index);
  expect(map.size).toBe(3);
});

test('a value that is replaced counts once', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  map.set('c', 4);
  expect(['a', 'b', 'c'].map((key) => map.get(key))).toEqual([3, undefined, 4]);
});
