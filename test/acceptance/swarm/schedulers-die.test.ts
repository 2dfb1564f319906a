import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MIB } from '../../support/files.ts';
import type { Swarm } from '../../support/swarm.ts';
import { type CrowdFigures, crowd } from './crowd.ts';
import { shared } from './group-scene.ts';
import { note } from './scene.ts';

/*
 * Many gets at once while schedulers come and go. A short run is for every day; `npm run acceptance:group` takes files
 * of 64 MiB, and times the same without kills.
 */
const { SHOAL_GROUP_MIB = '12' } = process.env;
const BYTES = Number(SHOAL_GROUP_MIB) * MIB;
const IS_LONG = BYTES >= 64 * MIB;
const SCHEDULERS = ['scheduler', 'scheduler2', 'scheduler3'] as const;
const EVERY_MS = 5_000;
const SILENT_MS = 5_000;
/** What a kill costs is the same for small files, and more of them. */
const MOST_COPIES = IS_LONG ? 1.05 : 1.25;

type End = 'nothing' | 'SIGKILL' | 'SIGTERM';

/** Every five seconds a scheduler taken at random ends so, and is started again. */
async function endOften(swarm: Swarm, how: End, signal: AbortSignal): Promise<void> {
  const ended: string[] = [];
  for (;;) {
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const name = SCHEDULERS[Math.floor(Math.random() * SCHEDULERS.length)] ?? 'scheduler';
    if (how === 'SIGKILL') await swarm.kill(name);
    else await swarm.stop(name);
    swarm.start(name);
    ended.push(name.replace('scheduler', '') || '1');
  }
  note(`${how}: ${ended.length} times, ${ended.join(' ')}`);
}

async function run(how: End): Promise<CrowdFigures> {
  const during = (swarm: Swarm, signal: AbortSignal) =>
    how === 'nothing' ? Promise.resolve() : endOften(swarm, how, signal);
  const options = { hosts: 8, files: 20, bytes: BYTES, schedulers: SCHEDULERS.length, during };
  const figures = await crowd(options, (swarm) => shared(swarm, SCHEDULERS.length));
  const { seconds, copies, longestGapMs, gapHost } = figures;
  note(
    `${how}: ${seconds.toFixed(1)} s, ${copies.toFixed(4)} copies, longest ${Math.round(longestGapMs)} ms (${gapHost})`,
  );
  expect(copies).toBeLessThanOrEqual(MOST_COPIES);
  expect(longestGapMs).toBeLessThanOrEqual(SILENT_MS);
  return figures;
}

test('eight hosts get twenty files while kill -9 ends a scheduler every five seconds', async () => {
  const calm = IS_LONG ? await run('nothing') : undefined;
  const { seconds } = await run('SIGKILL');
  if (calm === undefined) return;
  expect(calm.seconds).toBeGreaterThanOrEqual(60);
  expect(seconds / calm.seconds).toBeLessThanOrEqual(1.2);
  const drained = await run('SIGTERM');
  expect(drained.seconds / calm.seconds).toBeLessThanOrEqual(1.05);
}, 1_800_000);
