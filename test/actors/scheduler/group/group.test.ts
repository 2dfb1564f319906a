import { expect, test } from 'vitest';
import { LIMITS } from '../../../../core/limits.ts';
import { PARTITIONS, SLACK_MS, scene } from './scene.ts';

test('one scheduler owns all at once', async () => {
  const { start, run, isWhole } = scene();
  start();
  expect(await run(100, isWhole)).toBe(true);
});

test('who joins is given its share, and nothing is without a scheduler meanwhile', async () => {
  const { start, run, isWhole, gapMs, served } = scene();
  const first = start();
  await run(2_000);
  const second = start();
  expect(await gapMs(3_000)).toBe(0);
  expect(isWhole()).toBe(true);
  for (const each of [first, second]) expect(served(each).length).toBeGreaterThan(2);
});

test('who leaves hands over all, and nothing is without a scheduler meanwhile', async () => {
  const { clock, start, run, isWhole, gapMs, served } = scene();
  const [one, two, three] = [start(), start(), start()];
  await run(5_000);
  const leftMs = clock.now();
  two.leave();
  expect(await gapMs(2_000)).toBe(0);
  expect(two.isAlive).toBe(false);
  expect(served(one).length + served(three).length).toBe(PARTITIONS);
  expect(isWhole()).toBe(true);
  one.leave();
  three.leave();
  await run(LIMITS.leaveMs + 100, () => !one.isAlive && !three.isAlive);
  expect(clock.now() - leftMs).toBeLessThan(2_000 + LIMITS.leaveMs);
});

test('who was alone and leaves lets nobody wait for its term', async () => {
  const { start, run, isWhole } = scene();
  const one = start();
  await run(5_000);
  one.leave();
  expect(await run(100, () => !one.isAlive)).toBe(true);
  start();
  expect(await run(200, isWhole)).toBe(true);
});

test('who leaves and is cut off waits a while, and ends', async () => {
  const { start, run } = scene();
  const [one] = [start(), start()];
  await run(5_000);
  one.cut(true);
  one.leave();
  expect(await run(LIMITS.leaveMs - 100, () => !one.isAlive)).toBe(false);
  expect(await run(200, () => !one.isAlive)).toBe(true);
});

test('what a dead one owned is taken over after its term, by a larger epoch', async () => {
  const { clock, start, run, isWhole, served, epochOf } = scene();
  const [one, two] = [start(), start()];
  await run(5_000);
  const lost = served(one);
  const before = epochOf(one, lost[0] ?? 0) ?? 0;
  const diedMs = clock.now();
  one.kill();
  expect(await run(LIMITS.termMs + LIMITS.termMarginMs + SLACK_MS, isWhole)).toBe(true);
  expect(clock.now() - diedMs).toBeGreaterThan(LIMITS.termMs - LIMITS.beatMs);
  expect(epochOf(two, lost[0] ?? 0)).toBeGreaterThan(before);
});

test('who starts again under its key waits for nobody', async () => {
  const { start, run, isWhole } = scene();
  const one = start('key');
  await run(5_000);
  one.kill();
  start('key');
  expect(await run(200, isWhole)).toBe(true);
});

test('who cannot renew grants nothing when its term is over, and goes on as it was when it can again', async () => {
  const { store, start, run, served, epochOf } = scene();
  const one = start();
  await run(5_000);
  const epoch = epochOf(one, 0);
  store.faults.isDown = true;
  await run(LIMITS.termMs - LIMITS.beatMs - 50);
  expect(served(one)).toHaveLength(PARTITIONS);
  await run(LIMITS.beatMs + 100);
  expect(served(one)).toEqual([]);
  store.faults.isDown = false;
  await run(1_500);
  expect(served(one)).toHaveLength(PARTITIONS);
  expect(epochOf(one, 0)).toBe(epoch);
});

test('who stood still past its term grants nothing when it wakes, before it knows what is its own', async () => {
  const { start, run, isWhole, served } = scene();
  const [one, two] = [start(), start()];
  await run(5_000);
  one.process.freeze(10_000);
  await run(6_000);
  expect(served(two)).toHaveLength(PARTITIONS);
  await run(4_001);
  expect(served(one)).toEqual([]);
  await run(5_000);
  expect(isWhole()).toBe(true);
  expect(served(one).length).toBeGreaterThan(0);
});

test('a renewal whose answer was lost is no loss', async () => {
  const { store, start, run, epochOf, served, gapMs } = scene();
  const one = start();
  await run(5_000);
  const epoch = epochOf(one, 0);
  store.loseAnswers = 1;
  expect(await gapMs(LIMITS.termMs + LIMITS.beatMs)).toBe(0);
  expect(store.loseAnswers).toBe(0);
  expect(served(one)).toHaveLength(PARTITIONS);
  expect(epochOf(one, 0)).toBe(epoch);
});

test('a larger epoch that a host names is outbid, once a second at most; what cannot be true is not', async () => {
  const { clock, start, run, epochOf } = scene();
  const one = start();
  await run(5_000);
  const epoch = epochOf(one, 0) ?? 0;
  one.asked(0, clock.wall() + LIMITS.epochAheadMs + 60_000, () => {});
  await run(1_000);
  expect(epochOf(one, 0)).toBe(epoch);
  const forged = epoch + 3_600_000;
  one.asked(0, forged, () => {});
  await run(100);
  const outbid = epochOf(one, 0) ?? 0;
  expect(outbid).toBeGreaterThan(forged);
  for (let at = 0; at < 8; at += 1) {
    one.asked(0, outbid + 7_200_000, () => {});
    await run(100);
  }
  expect(epochOf(one, 0)).toBe(outbid);
  await run(300);
  one.asked(0, outbid + 7_200_000, () => {});
  await run(100);
  expect(epochOf(one, 0)).toBeGreaterThan(outbid + 7_200_000);
});

test('the word of a host alone deposes nobody, and gives nobody what another owns', async () => {
  const { start, run, served, epochOf } = scene();
  const [one, two] = [start(), start()];
  await run(5_000);
  const before = [served(one), served(two)];
  const [own] = served(one);
  const epoch = epochOf(one, own ?? 0) ?? 0;
  one.asked(own ?? 0, epoch + 5_000, () => {});
  two.asked(own ?? 0, epoch + 9_000, () => {});
  await run(3_000);
  expect([served(one), served(two)]).toEqual(before);
});

test('a store that is wiped is filled again, under larger epochs', async () => {
  const { store, start, run, isWhole, epochOf, served } = scene();
  const [one] = [start(), start()];
  await run(5_000);
  const [own = 0] = served(one);
  const before = epochOf(one, own) ?? 0;
  store.wipe();
  await run(3_000);
  expect(isWhole()).toBe(true);
  expect(epochOf(one, own)).toBeGreaterThan(before);
});

test('without a store presence decides, and the store again when it is back', async () => {
  const { store, start, run, isWhole, isGuided, served, all } = scene();
  store.faults.isDown = true;
  const [one, two] = [start(), start()];
  await run(LIMITS.storelessMs + 4_000);
  expect(isWhole()).toBe(true);
  for (const each of [one, two]) expect(served(each).length).toBeGreaterThan(2);
  one.kill();
  await run(LIMITS.schedulerGoneMs + 2_000);
  expect(isWhole()).toBe(true);
  store.faults.isDown = false;
  await run(2 * LIMITS.storelessMs);
  expect(isWhole()).toBe(true);
  expect(all.filter(({ isAlive }) => isAlive).map(isGuided)).toEqual([true]);
});

test('a store that is lost while all go by it is done without, by all', async () => {
  const { store, start, run, isWhole, served } = scene();
  const both = [start(), start()];
  await run(5_000);
  store.faults.isDown = true;
  await run(LIMITS.termMs + LIMITS.storelessMs + 4_000);
  expect(isWhole()).toBe(true);
  for (const each of both) expect(served(each).length).toBeGreaterThan(2);
});

test('when one has the store again, the others enter it at once', async () => {
  const { store, start, run, isWhole, isGuided, all } = scene();
  store.faults.isDown = true;
  start();
  // They do not look for the store at the same time.
  await run(LIMITS.storelessMs / 2);
  start();
  await run(LIMITS.storelessMs + 2_000);
  expect(isWhole()).toBe(true);
  store.faults.isDown = false;
  expect(await run(2 * LIMITS.storelessMs, () => all.some(isGuided))).toBe(true);
  expect(all.every(isGuided)).toBe(false);
  expect(await run(200, () => all.every(isGuided))).toBe(true);
});
