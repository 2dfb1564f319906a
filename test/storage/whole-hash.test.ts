import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../storage/memory-store.ts';
import { WholeHasher } from '../../storage/whole-hash.ts';
import { fill, PIECE, sample, sha256, steppingClock } from './support.ts';

const store = createMemoryStore({ clock: steppingClock() });

describe('the hash of the whole', () => {
  test('comes out right when pieces arrive in any order', async () => {
    const { content, record } = sample(20 * PIECE + 99);
    const task = await store.create(record);
    const hasher = new WholeHasher(task, 'sha256');
    for (const piece of [3, 1, 20, 0, 2, 5, 7, 9, 4, 6, 8, 10, 19, 18, 17, 16, 15, 14, 13, 12]) {
      fill(task, content, piece, 1);
      hasher.advance();
    }
    await expect.poll(() => hasher.position).toBe(11 * PIECE);
    fill(task, content, 11, 1);
    expect(await hasher.digest()).toBe(sha256(content));
    expect(await hasher.digest()).toBe(sha256(content));
  });

  test('is SHA-512 where that is asked for', async () => {
    const { content, record } = sample(3 * PIECE);
    const task = await store.create(record);
    fill(task, content);
    expect(await new WholeHasher(task, 'sha512').digest()).toBe(
      createHash('sha512').update(content).digest('hex'),
    );
  });

  test('of nothing is the hash of nothing', async () => {
    const { record } = sample(0);
    expect(await new WholeHasher(await store.create(record), 'sha256').digest()).toBe(
      sha256(Buffer.alloc(0)),
    );
  });

  test('waits for the length where that is unknown', async () => {
    const { content, record } = sample(10_300, 1000);
    const task = await store.create({ ...record, length: undefined });
    const hasher = new WholeHasher(task, 'sha256');
    fill(task, content);
    const digest = hasher.digest();
    await expect.poll(() => hasher.position).toBe(10_000);
    await task.setLength(content.length);
    hasher.advance();
    expect(await digest).toBe(sha256(content));
  });

  test('ends when it is cancelled, and when content cannot be read', async () => {
    const { content, record } = sample(5 * PIECE);
    const task = await store.create(record);
    const controller = new AbortController();
    const hasher = new WholeHasher(task, 'sha256', controller.signal);
    fill(task, content, 0, 2);
    const reason = new Error('enough');
    const digest = hasher.digest();
    controller.abort(reason);
    await expect(digest).rejects.toBe(reason);
    await expect(new WholeHasher(task, 'sha256', controller.signal).digest()).rejects.toBe(reason);
    const broken = {
      ...task,
      record: task.record,
      have: task.have,
      read: async () => Promise.reject(new RangeError('disk')),
    };
    await expect(new WholeHasher(broken as unknown as typeof task, 'sha256').digest()).rejects.toThrow(
      'disk',
    );
  });
});
