import { expect } from 'vitest';
import { connectDaemon, type DaemonClient } from '../../../admin/client.ts';
import { PARTITIONS } from '../../../core/ids.ts';
import type { SchedulerRow } from '../../../core/swarm-rows.ts';
import { until } from '../../support/child.ts';
import { storedBytes } from '../../support/files.ts';
import type { Swarm } from '../../support/swarm.ts';
import { getOnEach, longestGapMs, note, type Scene, SIZE } from './scene.ts';

/** The hosts that get the file of a scene. */
export const FOUR = ['peer1', 'peer2', 'peer3', 'peer4'] as const;
/** Every partition there is. */
export const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** What a host of `SLOW` flags receives, bytes a second. */
const SLOW_BYTES_PER_SEC = 20_000_000;
/** How soon all must be right again when a fault is over, ms. */
export const HEALED_MS = 10_000;

/** The daemon of the first host: what `shoal scheduler ls` and the like show, without a process for each look. */
function daemon(swarm: Swarm): Promise<DaemonClient> {
  return connectDaemon(swarm.dirOf(swarm.hosts[0] ?? 'seed'));
}

/** What `shoal scheduler ls` shows. */
export async function schedulers(swarm: Swarm): Promise<SchedulerRow[]> {
  return (await daemon(swarm)).schedulers().catch(() => []);
}

/** Waits until so many schedulers are listed, which serve every partition, each once. */
export async function shared(swarm: Swarm, count: number, guided = true): Promise<readonly SchedulerRow[]> {
  return until(`${count} schedulers to share all partitions`, async () => {
    const rows = await schedulers(swarm);
    const served = rows.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
    const isWhole = rows.length === count && JSON.stringify(served) === JSON.stringify(ALL);
    return isWhole && rows.every((row) => row.guided === guided) ? rows : undefined;
  });
}

/** How many hosts hold all of each task. */
export async function holders(swarm: Swarm): Promise<ReadonlyMap<string, number>> {
  const rows = await (await daemon(swarm)).tasks().catch(() => []);
  return new Map(rows.map(({ taskId, holders: count }) => [taskId, count]));
}

async function isAnnounced(swarm: Swarm, host: string): Promise<boolean> {
  const status = await connectDaemon(swarm.dirOf(host)).then((client) => client.status());
  return status.state === 'announced';
}

/** Waits until the schedulers share all, every host is there, and what they hold is known; says how long it took. */
export async function whole(
  swarm: Swarm,
  schedulerCount: number,
  held: ReadonlyMap<string, number> = new Map(),
): Promise<void> {
  const begunMs = performance.now();
  await shared(swarm, schedulerCount);
  for (const host of swarm.hosts) {
    await until(`${host} to be there`, async () => (await isAnnounced(swarm, host)) || undefined);
  }
  await until('what hosts hold to be known', async () => {
    const known = await holders(swarm);
    return [...held].every(([taskId, count]) => (known.get(taskId) ?? 0) >= count) || undefined;
  });
  const tookMs = performance.now() - begunMs;
  note(`whole again after ${Math.round(tookMs)} ms`);
  expect(tookMs).toBeLessThanOrEqual(HEALED_MS);
}

/**
 * Four gets, and what happens when one of them has a good part. When it is over all end right, within ten seconds and
 * what the rest takes at the limit of the hosts (`SLOW`).
 */
export async function inMidDownload(scene: Scene, happens: () => Promise<unknown>): Promise<void> {
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer1', SIZE * 0.3);
  await happens();
  const overMs = performance.now();
  const least = Math.min(...FOUR.map((host) => storedBytes(scene.swarm.dirOf(host))));
  const restMs = (Math.max(0, SIZE - least) / SLOW_BYTES_PER_SEC) * 1_000;
  await Promise.all([...gets.values()].map(({ done }) => done));
  const tookMs = performance.now() - overMs;
  const outcomes = await scene.allRight(gets);
  note(`done ${Math.round(tookMs)} ms after the fault, of which the links take ${Math.round(restMs)}`);
  note(`longest gap without a byte: ${Math.round(longestGapMs(outcomes))} ms`);
  expect(tookMs).toBeLessThanOrEqual(restMs + HEALED_MS);
}
