import { expect, test } from 'vitest';
import { LIMITS } from '../../../../core/limits.ts';
import { silentLogger } from '../../../../core/logger.ts';
import { heartbeatKey, partitionKey } from '../../../../core/ownership.ts';
import type { ModelScheduler } from '../../../../sim/group/scheduler.ts';
import { PARTITIONS, SLACK_MS, scene } from './scene.ts';

const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** What becomes of the partitions of a scheduler from now on, a line each. */
function listen(scheduler: ModelScheduler): string[] {
  const lines: string[] = [];
  scheduler.onTenure = (what, partition) => void lines.push(`${what} ${partition}`);
  return lines;
}

function all(what: string): string[] {
  return ALL.map((partition) => `${what} ${partition}`).sort();
}

/** A scheduler that owns all, and gives a share to one that died as soon as it had said that it was there. */
async function forsaken() {
  const group = scene();
  const { store, start, run, offers } = group;
  const one = start();
  await run(2_000);
  const two = start();
  await run(100, () => store.get(heartbeatKey(two.id)) !== undefined);
  two.kill();
  expect(await run(100, () => offers(one).length > 2)).toBe(true);
  return { ...group, one };
}

test('what is owned is served at once, and what hosts hold of it is known a census later', async () => {
  const { start, run, isWhole } = scene();
  const one = start();
  const lines = listen(one);
  await run(100, isWhole);
  await run(10);
  expect(lines.sort()).toEqual(all('begun'));
  lines.length = 0;
  await run(LIMITS.censusMs - 100);
  expect(lines).toEqual([]);
  await run(100);
  expect(lines.sort()).toEqual(all('recovered'));
});

test('a claim that is not answered is told of, and made again', async () => {
  const lines: string[] = [];
  const { store, start, run, isGuided, isWhole } = scene({
    ...silentLogger,
    debug: ({ partition, code }, message) => lines.push(`${message}: ${code} ${partition}`),
  });
  const one = start();
  await run(100, () => isGuided(one));
  store.faults.isDown = true;
  await run(LIMITS.ownershipMs + 50);
  expect(lines.sort()).toEqual(all('partition not claimed: ERR_BUS_TIMEOUT'));
  store.faults.isDown = false;
  expect(await run(1_000, isWhole)).toBe(true);
});

test('who leaves before its claims are answered serves nothing of what they gave it', async () => {
  const { store, start, run } = scene();
  store.faults.latencyMs = 200;
  const one = start();
  const lines = listen(one);
  const isClaimed = () => ALL.every((partition) => store.get(partitionKey(partition)) !== undefined);
  expect(await run(2_000, isClaimed)).toBe(true);
  // The answers are under way; that it departs is never answered.
  store.faults.isDown = true;
  one.leave();
  expect(await run(2 * LIMITS.ownershipMs + 100, () => !one.isAlive)).toBe(true);
  expect(lines).toEqual([]);
});

test('what falls back to its owner is given away no more, and was its own throughout', async () => {
  const { one, run, offers, served } = await forsaken();
  const lines = listen(one);
  const untilMs = LIMITS.termMs + LIMITS.termMarginMs + SLACK_MS;
  expect(await run(untilMs, () => offers(one).length === 0)).toBe(true);
  expect(served(one)).toEqual(ALL);
  expect(lines).toEqual([]);
});

test('a larger epoch that a host names is outbid in what is given away too', async () => {
  const { one, run, offers, epochOf } = await forsaken();
  const [given = 0] = offers(one);
  const forged = (epochOf(one, given) ?? 0) + 3_600_000;
  one.asked(given, forged, () => {});
  await run(100);
  expect(epochOf(one, given)).toBeGreaterThan(forged);
});
