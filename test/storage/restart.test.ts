import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { codeOf, contentOf, fill, openIn, PIECE, sample, stored, temporaryDir } from './support.ts';

test('a restart finds every task, its pieces and when it was used', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir);
  const { task, content } = await stored(first, 3 * PIECE);
  const { record, content: half } = sample(4 * PIECE);
  fill(await first.create({ ...record, etag: '"e"', mediaType: 'text/plain', encoding: 'gzip' }), half, 1, 2);
  const rows = [...first.rows()];
  await first.close();
  const second = await openIn(dir);
  expect([...second.rows()]).toEqual(rows);
  expect(second.usage).toEqual(first.usage);
  const again = await second.open(task.record.taskId);
  expect(again?.complete).toBe(true);
  expect(again && (await contentOf(again)).equals(content)).toBe(true);
  const partial = await second.open(record.taskId);
  expect(partial?.record).toEqual({ ...record, etag: '"e"', mediaType: 'text/plain', encoding: 'gzip' });
  expect([...(partial?.have.ones() ?? [])]).toEqual([1, 2]);
  expect(
    partial && (await contentOf(partial, PIECE, 3 * PIECE)).equals(half.subarray(PIECE, 3 * PIECE)),
  ).toBe(true);
  await second.close();
});

test('after another boot every piece is hashed again before it counts, and once only', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir, { bootId: 'boot-1' });
  const { task, content } = await stored(first, 4 * PIECE);
  await first.close();
  const damage = openSync(task.path, 'r+');
  writeSync(damage, Buffer.from([1, 2, 3]), 0, 3, PIECE + 100);
  closeSync(damage);
  const second = await openIn(dir, { bootId: 'boot-2' });
  expect(second.row(task.record.taskId)?.complete).toBe(true);
  const again = await second.open(task.record.taskId);
  expect([...(again?.have.ones() ?? [])]).toEqual([0, 2, 3]);
  expect(again?.complete).toBe(false);
  expect(second.row(task.record.taskId)).toMatchObject({ complete: false, storedBytes: 3 * PIECE });
  if (again !== undefined) fill(again, content, 1, 1);
  await again?.seal();
  await second.close();
  const third = await openIn(dir, { bootId: 'boot-2' });
  const damageAgain = openSync(task.path, 'r+');
  writeSync(damageAgain, Buffer.from([9]), 0, 1, 5);
  closeSync(damageAgain);
  // Proven since this boot: what the disk does now is for a scrub to find.
  expect((await third.open(task.record.taskId))?.have.complete).toBe(true);
  await third.close();
});

test('pieces taken back of a sealed task stay away after a restart', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir);
  const { task } = await stored(first, 3 * PIECE);
  await task.drop([2]);
  await first.close();
  const second = await openIn(dir);
  expect(second.row(task.record.taskId)).toMatchObject({ complete: false, storedBytes: 2 * PIECE });
  expect([...((await second.open(task.record.taskId))?.have.ones() ?? [])]).toEqual([0, 1]);
  await second.close();
});

test('what is known of a task outlives a restart, however long it becomes and how often it changes', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir);
  const { task } = await stored(first, PIECE);
  const { taskId } = task.record;
  const url = (length: number) => `https://origin.test/${'x'.repeat(length)}`;
  for (const length of [1, 50, 6_000, 2]) {
    await task.amend({
      sources: [{ url: url(length), credentials: false }],
      mediaType: 't/'.padEnd(90, 'z'),
    });
  }
  await task.amend({ mediaType: 't/short' });
  await first.close();
  const second = await openIn(dir);
  const again = await second.open(taskId);
  expect(again?.record).toMatchObject({ mediaType: 't/short' });
  expect(again?.record.sources.map((source) => source.url)).toEqual(
    expect.arrayContaining([1, 50, 6_000, 2].map(url)),
  );
  await again?.amend({ mediaType: 't/other' });
  await second.close();
  const third = await openIn(dir);
  expect((await third.open(taskId))?.record.mediaType).toBe('t/other');
  await third.close();
});

test('a content file that became shorter is noticed without another boot', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir);
  const { task } = await stored(first, 4 * PIECE);
  await first.close();
  truncateSync(task.path, 2 * PIECE + 5);
  const second = await openIn(dir);
  expect([...((await second.open(task.record.taskId))?.have.ones() ?? [])]).toEqual([0, 1]);
  await second.close();
});

test('what is half made, half removed or foreign is cleaned up', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir);
  const { task } = await stored(first, PIECE);
  await first.close();
  const whole = dirname(task.path);
  const half = join(dir, 'tasks', 'ab', `sha256-ab${'0'.repeat(62)}`);
  mkdirSync(half, { recursive: true });
  writeFileSync(join(half, 'data'), 'x');
  mkdirSync(join(dir, 'tasks', 'ab', 'what-is-this'));
  mkdirSync(join(dir, 'removed', '1-1'), { recursive: true });
  const misplaced = join(dir, 'tasks', 'cd', `sha256-cd${'0'.repeat(62)}`);
  mkdirSync(misplaced, { recursive: true });
  writeFileSync(join(misplaced, 'meta.json'), readFileSync(join(whole, 'meta.json')));
  const second = await openIn(dir);
  expect([...second.rows()].map(({ taskId }) => taskId)).toEqual([task.record.taskId]);
  expect([half, misplaced, join(dir, 'tasks', 'ab', 'what-is-this')].some((path) => existsSync(path))).toBe(
    false,
  );
  expect(readdirSync(join(dir, 'removed'))).toEqual([]);
  await second.close();
});

test('a store of a newer version is refused and left alone', async () => {
  const dir = temporaryDir();
  await (await openIn(dir)).close();
  writeFileSync(join(dir, 'store.json'), '{"version":2}');
  await expect(openIn(dir)).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
    message: expect.stringMatching(/newer/),
  });
  writeFileSync(join(dir, 'store.json'), 'nonsense');
  expect(await codeOf(openIn(dir))).toBe('ERR_CONFIG_INVALID');
});

test('a smaller quota evicts at the start, least recently used first', async () => {
  const dir = temporaryDir();
  const first = await openIn(dir);
  await stored(first, PIECE);
  const { task } = await stored(first, PIECE);
  await first.close();
  const second = await openIn(dir, { quotaBytes: PIECE });
  expect([...second.rows()].map(({ taskId }) => taskId)).toEqual([task.record.taskId]);
  await second.close();
  expect(existsSync(task.path)).toBe(true);
});

test('content is sparse until it is there, and not for everybody to read', async () => {
  const store = await openIn(temporaryDir());
  const { record, content } = sample(64 * PIECE);
  const task = await store.create(record);
  fill(task, content, 60, 1);
  const { size, blocks, mode } = statSync(task.path);
  expect(size).toBe(64 * PIECE);
  expect(blocks * 512).toBeLessThan(3 * PIECE);
  expect(mode & 0o007).toBe(0);
  await store.close();
});

test('few files are open however many tasks are used', async () => {
  const store = await openIn(temporaryDir());
  const before = readdirSync('/proc/self/fd').length;
  const tasks = [];
  for (let index = 0; index < 300; index += 1) tasks.push(await stored(store, 100));
  expect(readdirSync('/proc/self/fd').length - before).toBeLessThan(140);
  for (const { task, content } of tasks) expect((await contentOf(task)).equals(content)).toBe(true);
  await store.close();
  expect(readdirSync('/proc/self/fd').length - before).toBeLessThan(10);
});
