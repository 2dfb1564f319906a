import { expect, test } from 'vitest';
import { getOnEach, longestGapMs, note, openScene, SIZE, SLOW } from './scene.ts';

const FOUR = ['peer1', 'peer2', 'peer3', 'peer4'];

/** Kills a member when a host has 40 % of the file. */
async function downloadAndKill(member: string, restart: boolean): Promise<number> {
  const scene = await openScene({ hostFlags: SLOW });
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer1', SIZE * 0.4);
  await scene.swarm.kill(member);
  if (restart) scene.swarm.start(member);
  const outcomes = await scene.allRight(gets);
  note(`longest gap without a byte: ${Math.round(longestGapMs(outcomes))} ms`);
  return scene.copies();
}

test('kill -9 of the scheduler, started again: the gets end right with one copy from the origin', async () => {
  expect(await downloadAndKill('scheduler', true)).toBeLessThanOrEqual(1.05);
});

test('kill -9 of the scheduler for good: the gets end right, and the origin gives at most half a copy more', async () => {
  expect(await downloadAndKill('scheduler', false)).toBeLessThanOrEqual(1.5);
});

test('kill -9 of nats-server, started again: the gets end right with one copy from the origin', async () => {
  expect(await downloadAndKill('nats', true)).toBeLessThanOrEqual(1.05);
});

test('kill -9 of nats-server for good: the gets end right, and the origin gives at most half a copy more', async () => {
  expect(await downloadAndKill('nats', false)).toBeLessThanOrEqual(1.5);
});
