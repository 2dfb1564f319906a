import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TaskId } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import { openStore } from '../../storage/open-store.ts';
import type { Store } from '../../storage/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const PIECE = 128 * 1024;
const NAME = 'a'.repeat(32);
const clock = { now: 1_000_000, wall: () => clock.now };
const taskOf = (digit: string) => `sha256-${digit.repeat(64)}` as TaskId;
const open = (dir: string, quotaBytes = 2 * PIECE) =>
  openStore({ dir, quotaBytes, clock, logger: silentLogger, bootId: 'boot' });

async function fill(store: Store, digit: string): Promise<void> {
  clock.now += 1_000;
  const task = await store.create({
    taskId: taskOf(digit),
    length: PIECE,
    pieceLength: PIECE,
    audience: 'public',
    sources: [],
  });
  const writer = task.writer(0, 1, (piece, hash, length) => task.commit(piece, hash, length));
  await writer.write(new Uint8Array(PIECE));
  await writer.end();
}

const held = (store: Store) => [...store.rows()].map(({ taskId }) => taskId.at(-1)).sort();

test('what is kept is never evicted to make room, and what else is there is', async () => {
  await using temp = await tempDir();
  const store = await open(temp.path);
  await fill(store, '1');
  await fill(store, '2');
  store.keep(NAME, [taskOf('1')], clock.now + 60_000);
  await fill(store, '3');
  await fill(store, '4');
  expect(held(store)).toEqual(['1', '4']);
  store.keep('b'.repeat(32), [taskOf('4')], clock.now + 60_000);
  await expect(fill(store, '5')).rejects.toMatchObject({ code: 'ERR_STORE_FULL' });
  expect(held(store)).toEqual(['1', '4']);
  store.release('b'.repeat(32));
  await fill(store, '5');
  expect(held(store)).toEqual(['1', '5']);
  clock.now += 120_000;
  expect(store.isKept(taskOf('1'))).toBe(false);
  await fill(store, '6');
  expect(held(store)).toEqual(['5', '6']);
  await store.close();
});

test('it is kept after a restart too, until it is let go; with a smaller quota as well', async () => {
  await using temp = await tempDir();
  const before = await open(temp.path);
  await fill(before, '1');
  await fill(before, '2');
  before.keep(NAME, [taskOf('1'), taskOf('2')], clock.now + 3_600_000);
  await before.close();
  const after = await open(temp.path, PIECE);
  expect(held(after)).toEqual(['1', '2']);
  expect(after.isKept(taskOf('1'))).toBe(true);
  await expect(fill(after, '3')).rejects.toMatchObject({ code: 'ERR_STORE_FULL' });
  after.release(NAME);
  await fill(after, '3');
  expect(held(after)).toEqual(['3']);
  expect(readdirSync(join(temp.path, 'keeps'))).toEqual([]);
  await after.close();
});

test('what two names keep is kept until both let go', async () => {
  await using temp = await tempDir();
  const store = await open(temp.path);
  for (const name of [NAME, 'b'.repeat(32)]) store.keep(name, [taskOf('1')], clock.now + 60_000);
  store.release(NAME);
  expect(store.isKept(taskOf('1'))).toBe(true);
  store.release('b'.repeat(32));
  expect(store.isKept(taskOf('1'))).toBe(false);
  await store.close();
});

test('a note that cannot be read keeps nothing, and nobody from starting', async () => {
  await using temp = await tempDir();
  mkdirSync(join(temp.path, 'keeps'), { recursive: true });
  writeFileSync(join(temp.path, 'keeps', `${NAME}.json`), '{"untilMs":');
  writeFileSync(join(temp.path, 'keeps', 'other'), '');
  const store = await open(temp.path);
  expect(store.isKept(taskOf('1'))).toBe(false);
  await store.close();
});
