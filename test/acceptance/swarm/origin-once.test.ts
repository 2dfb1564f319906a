import { expect, test } from 'vitest';
import { getOnEach, openScene, SIZE, SLOW } from './scene.ts';

const FOUR = ['peer1', 'peer2', 'peer3', 'peer4'];

test('four gets at once, and a fifth on a host that joins later, take one copy from the origin', async () => {
  const scene = await openScene();
  await scene.allRight(getOnEach(scene, FOUR));
  expect(scene.copies()).toBeLessThanOrEqual(1.01);
  scene.swarm.start('peer5');
  await scene.swarm.ready('peer5');
  await scene.allRight(getOnEach(scene, ['peer5']));
  expect(scene.copies()).toBeLessThanOrEqual(1.01);
});

test('a get that begins half-way through three others takes nothing more from the origin', async () => {
  const scene = await openScene({ hostFlags: SLOW });
  const gets = getOnEach(scene, FOUR.slice(0, 3));
  await scene.swarm.holds('peer1', SIZE / 2);
  gets.set('peer4', scene.get('peer4'));
  await scene.allRight(gets);
  expect(scene.copies()).toBeLessThanOrEqual(1.01);
});
