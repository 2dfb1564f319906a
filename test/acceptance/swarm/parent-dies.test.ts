import { expect, test } from 'vitest';
import { getOnEach, longestGapMs, note, openScene, type Scene, SIZE, SLOW } from './scene.ts';

const GAP_MS = 5_000;

async function halfWay(): Promise<{ scene: Scene; gets: ReturnType<typeof getOnEach> }> {
  const scene = await openScene({ hostFlags: SLOW });
  const gets = getOnEach(scene, ['peer1', 'peer2', 'peer3', 'peer4']);
  await scene.swarm.holds('peer4', SIZE * 0.4);
  return { scene, gets };
}

async function survive(scene: Scene, gets: ReturnType<typeof getOnEach>): Promise<void> {
  const outcomes = await scene.allRight(gets);
  note(`longest gap without a byte: ${Math.round(longestGapMs(outcomes))} ms`);
  expect(longestGapMs(outcomes)).toBeLessThan(GAP_MS);
}

test('kill -9 of a peer that is a parent leaves the other gets whole', async () => {
  const { scene, gets } = await halfWay();
  await scene.swarm.kill('peer4');
  gets.get('peer4')?.signal('SIGKILL');
  gets.delete('peer4');
  await survive(scene, gets);
});

test('kill -9 of the seed in mid-transfer leaves all gets whole', async () => {
  const { scene, gets } = await halfWay();
  await scene.swarm.kill('seed');
  await survive(scene, gets);
});

test('a parent that is stopped (SIGSTOP) in mid-transfer is left for others', async () => {
  const { scene, gets } = await halfWay();
  scene.swarm.signal('peer4', 'SIGSTOP');
  gets.get('peer4')?.signal('SIGKILL');
  gets.delete('peer4');
  await survive(scene, gets);
});
