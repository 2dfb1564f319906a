import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import {
  codeOf,
  contentOf,
  fill,
  KIB,
  openIn,
  PIECE,
  sample,
  stored,
  temporaryDir,
  thrownCode,
} from './support.ts';

/** A file system of its own with this much room. */
function smallDisk(bytes: number): string {
  const dir = temporaryDir();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'shoal-test', dir]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir]);
  });
  return dir;
}

test('a full disk evicts old content and goes on', async () => {
  const store = await openIn(smallDisk(4 * 1024 * KIB));
  const evicted: string[] = [];
  store.onEvicted((taskId) => evicted.push(taskId));
  const { task: old } = await stored(store, 2 * 1024 * KIB);
  const { content, record } = sample(3 * 1024 * KIB);
  const task = await store.create(record);
  const release = task.pin();
  fill(task, content);
  await task.seal();
  expect(evicted).toEqual([old.record.taskId]);
  expect((await contentOf(task)).equals(content)).toBe(true);
  release();
  await store.close();
});

test('a disk that stays full fails the task clearly, and others go on', async () => {
  const dir = smallDisk(4 * 1024 * KIB);
  const store = await openIn(dir);
  const { task: kept, content: keptContent } = await stored(store, 1024 * KIB);
  const release = kept.pin();
  const { content, record } = sample(8 * 1024 * KIB);
  const task = await store.create(record);
  expect(thrownCode(() => fill(task, content))).toBe('ERR_STORE_FULL');
  const claimed = [...task.have.ones()];
  expect(claimed.length).toBeGreaterThan(10);
  expect(claimed.length).toBeLessThan(32);
  for (const piece of claimed) {
    const part = await contentOf(task, piece * PIECE, (piece + 1) * PIECE);
    expect(part.equals(content.subarray(piece * PIECE, (piece + 1) * PIECE))).toBe(true);
  }
  expect((await contentOf(kept)).equals(keptContent)).toBe(true);
  // The disk is full to the last byte: taking a piece back needs no room that is not there.
  await task.drop([0]);
  expect(task.have.has(0)).toBe(false);
  await store.remove(record.taskId);
  await stored(store, 1024 * KIB);
  release();
  await store.close();
  const again = await openIn(dir);
  expect(again.usage.tasks).toBe(2);
  await again.close();
});

test('a disk without room for a new task says so', async () => {
  const store = await openIn(smallDisk(256 * KIB));
  const { content, record } = sample(1024 * KIB);
  const task = await store.create(record);
  const release = task.pin();
  expect(thrownCode(() => fill(task, content))).toBe('ERR_STORE_FULL');
  const codes = [];
  for (let index = 0; index < 40; index += 1) codes.push(await codeOf(store.create(sample(10).record)));
  expect(codes.at(-1)).toBe('ERR_STORE_FULL');
  release();
  await store.close();
});
