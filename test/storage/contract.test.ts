import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TaskId } from '../../core/ids.ts';
import { createMemoryStore } from '../../storage/memory-store.ts';
import type { Store } from '../../storage/store.ts';
import {
  codeOf,
  contentOf,
  fill,
  KIB,
  openIn,
  PIECE,
  sample,
  steppingClock,
  stored,
  temporaryDir,
  thrownCode,
} from './support.ts';

const kinds: [string, (quotaBytes?: number) => Promise<Store>][] = [
  ['on disk', (quotaBytes = 1e9) => openIn(temporaryDir(), { quotaBytes })],
  ['in memory', async (quotaBytes = 1e9) => createMemoryStore({ clock: steppingClock(), quotaBytes })],
];

describe.each(kinds)('a store %s', (_kind, make) => {
  test('gives back what was written, by stream, by read and by range', async () => {
    const store = await make();
    const { task, content } = await stored(store, 5 * PIECE + 77);
    expect((await contentOf(task)).equals(content)).toBe(true);
    expect((await contentOf(task, 1, 300_001)).equals(content.subarray(1, 300_001))).toBe(true);
    const buffer = Buffer.alloc(1000);
    expect(await task.read(buffer, PIECE - 10)).toBe(1000);
    expect(buffer.equals(content.subarray(PIECE - 10, PIECE + 990))).toBe(true);
    expect(await task.read(buffer, content.length - 7)).toBe(7);
    expect(await task.read(buffer, content.length)).toBe(0);
    expect(task.complete).toBe(true);
    expect(
      Buffer.from(task.hash(5) ?? []).equals(
        createHash('sha256')
          .update(content.subarray(5 * PIECE))
          .digest(),
      ),
    ).toBe(true);
    expect(task.hash(6)).toBeUndefined();
    await store.close();
  });

  test('puts bytes in their place whatever the chunks, in pieces longer than what is gathered', async () => {
    const store = await make();
    const { record, content } = sample(3 * 512 * KIB + 999, 512 * KIB);
    const task = await store.create(record);
    const writer = task.writer(0, 4, (piece, hash, length) => task.commit(piece, hash, length));
    const lengths = [1, 65_535, 65_536, 1_448, 262_144, 64_000, 300_000, 7, 200_000, 65_537];
    for (let at = 0, turn = 0; at < content.length; turn += 1) {
      const end = at + (lengths[turn % lengths.length] ?? 1);
      void writer.write(Buffer.from(content.subarray(at, end)));
      at = end;
    }
    void writer.end();
    await task.seal();
    expect((await contentOf(task)).equals(content)).toBe(true);
    const last = createHash('sha256').update(content.subarray(-999)).digest();
    expect(Buffer.from(task.hash(3) ?? []).equals(last)).toBe(true);
    await store.close();
  });

  test('a look at a task is no use of it', async () => {
    const store = await make();
    const { task } = await stored(store, PIECE);
    const { taskId } = task.record;
    const before = store.row(taskId)?.lastUsedMs;
    expect((await store.look(taskId))?.record).toEqual(task.record);
    expect(await store.look(`sha256-${'0'.repeat(64)}` as TaskId)).toBeUndefined();
    expect(store.row(taskId)?.lastUsedMs).toBe(before);
    await store.open(taskId);
    expect(store.row(taskId)?.lastUsedMs).toBeGreaterThan(before ?? 0);
    await store.close();
  });

  test('knows a task by its row without opening it', async () => {
    const store = await make();
    const { record } = sample(PIECE * 2);
    const task = await store.create(record);
    expect(store.row(record.taskId)).toMatchObject({ complete: false, storedBytes: 0, length: PIECE * 2 });
    fill(task, Buffer.alloc(PIECE * 2), 0, 1);
    expect(store.row(record.taskId)).toMatchObject({ complete: false, storedBytes: PIECE });
    fill(task, Buffer.alloc(PIECE * 2), 1, 1);
    await task.seal();
    expect([...store.rows()]).toMatchObject([
      { taskId: record.taskId, complete: true, storedBytes: PIECE * 2, audience: 'public' },
    ]);
    expect(store.usage).toMatchObject({ bytes: PIECE * 2, tasks: 1 });
  });

  test('opens one object a task, and nothing that it does not hold', async () => {
    const store = await make();
    const { record } = sample(10);
    const [a, b] = await Promise.all([store.create(record), store.create(record)]);
    expect(a).toBe(b);
    expect(await store.open(record.taskId)).toBe(a);
    expect(await store.open(`sha256-${'0'.repeat(64)}` as TaskId)).toBeUndefined();
    expect(store.row(`sha256-${'0'.repeat(64)}` as TaskId)).toBeUndefined();
  });

  test('claims no piece before its commit, and gives no byte of it', async () => {
    const store = await make();
    const { record, content } = sample(3 * PIECE);
    const task = await store.create(record);
    const seen: number[] = [];
    const writer = task.writer(1, 1, (piece) => seen.push(piece));
    await writer.write(content.subarray(PIECE, 2 * PIECE));
    expect(seen).toEqual([1]);
    expect(task.have.count).toBe(0);
    expect(await codeOf(task.read(Buffer.alloc(10), PIECE))).toBe('ERR_STORE_IO');
    task.commit(
      1,
      createHash('sha256')
        .update(content.subarray(PIECE, 2 * PIECE))
        .digest(),
      PIECE,
    );
    expect(task.have.has(1)).toBe(true);
    expect(await task.read(Buffer.alloc(10), PIECE)).toBe(10);
    expect(await codeOf(task.read(Buffer.alloc(10), 2 * PIECE - 5))).toBe('ERR_STORE_IO');
    expect(await codeOf(task.seal())).toBe('ERR_STORE_IO');
  });

  test('commits only what was written, with the hash that it had', async () => {
    const store = await make();
    const { record, content } = sample(2 * PIECE);
    const task = await store.create(record);
    const hash = createHash('sha256').update(content.subarray(0, PIECE)).digest();
    expect(thrownCode(() => task.commit(0, hash, PIECE))).toBe('ERR_STORE_IO');
    await task.writer(0, 1, () => {}).write(content.subarray(0, PIECE));
    expect(thrownCode(() => task.commit(0, Buffer.alloc(32), PIECE))).toBe('ERR_STORE_IO');
    expect(thrownCode(() => task.commit(0, hash, PIECE - 1))).toBe('ERR_STORE_IO');
    expect(thrownCode(() => task.commit(2, hash, PIECE))).toBe('ERR_STORE_IO');
    expect(thrownCode(() => task.commit(-1, hash, PIECE))).toBe('ERR_STORE_IO');
    task.commit(0, hash, PIECE);
    task.commit(0, hash, PIECE);
    expect(task.have.count).toBe(1);
  });

  test('refuses bytes beyond the run', async () => {
    const store = await make();
    const { record, content } = sample(2 * PIECE + 10);
    const task = await store.create(record);
    const writer = task.writer(0, 1, () => {});
    await writer.write(content.subarray(0, PIECE));
    expect(thrownCode(() => writer.write(Buffer.alloc(1)))).toBe('ERR_STORE_IO');
    const last = task.writer(2, 5, () => {});
    await last.write(content.subarray(2 * PIECE));
    expect(thrownCode(() => last.write(Buffer.alloc(1)))).toBe('ERR_STORE_IO');
  });

  test('takes pieces back for good', async () => {
    const store = await make();
    const { task, content } = await stored(store, 3 * PIECE);
    await task.drop([1, 1, 77]);
    expect(task.complete).toBe(false);
    expect([...task.have.ones()]).toEqual([0, 2]);
    expect(store.row(task.record.taskId)).toMatchObject({ complete: false, storedBytes: 2 * PIECE });
    const hash = createHash('sha256')
      .update(content.subarray(PIECE, 2 * PIECE))
      .digest();
    expect(thrownCode(() => task.commit(1, hash, PIECE))).toBe('ERR_STORE_IO');
    fill(task, content, 1, 1);
    await task.seal();
    expect((await contentOf(task)).equals(content)).toBe(true);
  });

  test('lets a liar and an honest sender write one piece at once, and keeps the right bytes', async () => {
    for (const order of ['liar first', 'honest first']) {
      for (const ends of ['liar ends first', 'honest ends first']) {
        const store = await make();
        const { record, content } = sample(PIECE);
        const task = await store.create(record);
        const right = createHash('sha256').update(content).digest();
        const commitRight = (piece: number, hash: Uint8Array, length: number) => {
          if (right.equals(hash)) task.commit(piece, hash, length);
        };
        const honest = () => task.writer(0, 1, commitRight);
        const liar = () => task.writer(0, 1, commitRight);
        const senders =
          order === 'liar first'
            ? [
                { writer: liar(), bytes: Buffer.alloc(PIECE, 1) },
                { writer: honest(), bytes: content },
              ]
            : [
                { writer: honest(), bytes: content },
                { writer: liar(), bytes: Buffer.alloc(PIECE, 1) },
              ];
        for (const { writer, bytes } of senders) await writer.write(bytes.subarray(0, 1000));
        for (const { writer, bytes } of senders) await writer.write(bytes.subarray(1000, 50_000));
        if ((order === 'liar first') !== (ends === 'liar ends first')) senders.reverse();
        for (const { writer, bytes } of senders) await writer.write(bytes.subarray(50_000));
        expect(task.have.has(0), `${order}, ${ends}`).toBe(true);
        expect((await contentOf(task)).equals(content), `${order}, ${ends}`).toBe(true);
      }
    }
  });

  test('does not let a late sender overwrite a piece that is there', async () => {
    const store = await make();
    const { task, content } = await stored(store, 2 * PIECE);
    const got: string[] = [];
    await task
      .writer(0, 2, (_piece, hash) => got.push(Buffer.from(hash).toString('hex')))
      .write(Buffer.alloc(2 * PIECE, 7));
    expect(got).toHaveLength(2);
    expect((await contentOf(task)).equals(content)).toBe(true);
  });

  test('keeps content without a length, and learns the length at its end', async () => {
    const store = await make();
    const { record, content } = sample(200 * 1000 + 5, 1000);
    const task = await store.create({ ...record, length: undefined });
    fill(task, content);
    expect(task.have.count).toBe(201);
    expect(await codeOf(task.seal())).toBe('ERR_STORE_IO');
    expect(store.usage.bytes).toBe(content.length);
    await task.setLength(content.length);
    await task.setLength(content.length);
    expect(task.record.length).toBe(content.length);
    expect(task.have).toMatchObject({ length: 201, complete: true });
    expect(await codeOf(task.setLength(7))).toBe('ERR_STORE_IO');
    await task.seal();
    expect((await contentOf(task)).equals(content)).toBe(true);
    expect(store.row(task.record.taskId)).toMatchObject({
      length: content.length,
      storedBytes: content.length,
      complete: true,
    });
  });

  test('gives no byte beyond a piece that ended early', async () => {
    const store = await make();
    const { record, content } = sample(3000, 1000);
    const task = await store.create({ ...record, length: undefined });
    fill(task, content.subarray(0, 400), 0, 1);
    fill(task, content, 1, 2);
    expect(await task.read(Buffer.alloc(400), 0)).toBe(400);
    expect(await codeOf(task.read(Buffer.alloc(401), 0))).toBe('ERR_STORE_IO');
    expect(await codeOf(task.read(Buffer.alloc(1500), 0))).toBe('ERR_STORE_IO');
    expect(await task.read(Buffer.alloc(2000), 1000)).toBe(2000);
  });

  test('drops what does not fit a length that turns out shorter', async () => {
    const store = await make();
    const { record, content } = sample(10_000, 1000);
    const task = await store.create({ ...record, length: undefined });
    fill(task, content);
    await task.setLength(4500);
    expect([...task.have.ones()]).toEqual([0, 1, 2, 3]);
    expect(store.usage.bytes).toBe(4500);
  });

  test('keeps content of no bytes', async () => {
    const store = await make();
    const { record } = sample(0);
    const task = await store.create(record);
    await task.seal();
    expect(task.complete).toBe(true);
    expect(await contentOf(task)).toHaveLength(0);
  });

  test('adds sources and changes the audience', async () => {
    const store = await make();
    const { record } = sample(10);
    const task = await store.create(record);
    const other = { url: 'http://b.example/', credentials: true };
    await task.amend({ sources: [other, ...record.sources], audience: 'source', etag: '"x"' });
    expect(task.record).toMatchObject({
      sources: [...record.sources, other],
      audience: 'source',
      etag: '"x"',
    });
    expect(store.row(record.taskId)?.audience).toBe('source');
    await task.amend({});
    expect(task.record).toMatchObject({ audience: 'source', etag: '"x"' });
  });

  test('evicts the least recently used first, and tells', async () => {
    const store = await make(4 * PIECE);
    const evicted: TaskId[] = [];
    store.onEvicted((taskId) => evicted.push(taskId));
    const tasks = [];
    for (let index = 0; index < 4; index += 1) tasks.push((await stored(store, PIECE)).task);
    const [a, b, c, d] = tasks.map((task) => task.record.taskId);
    if (tasks[0] !== undefined) await contentOf(tasks[0]);
    await stored(store, PIECE);
    expect(evicted).toEqual([b]);
    await stored(store, 2 * PIECE);
    expect(evicted).toEqual([b, c, d]);
    expect(a !== undefined && store.row(a)).toBeDefined();
    expect(b !== undefined && (await store.open(b))).toBeUndefined();
    expect(store.usage).toMatchObject({ bytes: 4 * PIECE, tasks: 3 });
  });

  test('spares what is pinned, and evicts nothing in vain', async () => {
    const store = await make(3 * PIECE);
    const evicted: TaskId[] = [];
    store.onEvicted((taskId) => evicted.push(taskId));
    const { task: a } = await stored(store, PIECE);
    const { task: b } = await stored(store, PIECE);
    const release = a.pin();
    expect(await codeOf(stored(store, 3 * PIECE))).toBe('ERR_STORE_FULL');
    expect(evicted).toEqual([]);
    await stored(store, 2 * PIECE);
    expect(evicted).toEqual([b.record.taskId]);
    release();
    release();
    await stored(store, 3 * PIECE);
    expect(evicted).toHaveLength(3);
    expect(await codeOf(stored(store, 3 * PIECE + 1))).toBe('ERR_STORE_FULL');
  });

  test('makes room as content of unknown length grows, and says when there is none', async () => {
    const store = await make(4 * PIECE);
    const { task: old } = await stored(store, 2 * PIECE);
    const { record, content } = sample(6 * PIECE);
    const task = await store.create({ ...record, length: undefined });
    const release = task.pin();
    fill(task, content, 0, 3);
    expect(store.row(old.record.taskId)).toBeUndefined();
    expect(thrownCode(() => fill(task, content, 3, 3))).toBe('ERR_STORE_FULL');
    expect([...task.have.ones()]).toEqual([0, 1, 2, 3]);
    release();
  });

  test('removes a task while it is read, and the reader reads on', async () => {
    const store = await make();
    const { task, content } = await stored(store, 2 * 1024 * KIB);
    const chunks: Uint8Array[] = [];
    for await (const chunk of task.stream({ start: 0, end: content.length })) {
      if (chunks.length === 0) {
        await store.remove(task.record.taskId);
        expect(store.row(task.record.taskId)).toBeUndefined();
        expect(await store.open(task.record.taskId)).toBeUndefined();
        expect(store.usage).toMatchObject({ bytes: 0, tasks: 0 });
      }
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    await store.close();
  });

  test('starts a removed task afresh while the old one is pinned', async () => {
    const store = await make();
    const { task: old, content } = await stored(store, 2 * PIECE);
    const release = old.pin();
    await store.remove(old.record.taskId);
    const task = await store.create(old.record);
    expect(task).not.toBe(old);
    expect(task.have.count).toBe(0);
    expect((await contentOf(old)).equals(content)).toBe(true);
    release();
    fill(task, content);
    expect((await contentOf(task)).equals(content)).toBe(true);
    await store.remove(task.record.taskId);
    await store.remove(task.record.taskId);
    await store.close();
  });

  test('ends a stream whose signal is aborted', async () => {
    const store = await make();
    const { task, content } = await stored(store, 1024 * KIB);
    const controller = new AbortController();
    const reason = new Error('enough');
    const reading = (async () => {
      for await (const _chunk of task.stream({ start: 0, end: content.length }, controller.signal))
        controller.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });
});
