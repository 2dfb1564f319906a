import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeRecord, PIECE_FILE_HEADER } from '../../storage/piece-file.ts';
import { contentOf, openIn, recordOf, temporaryDir } from './support.ts';

const TASKS = 10_000;

test('ten thousand small tasks are found soon and cost little memory', async () => {
  const dir = temporaryDir();
  await (await openIn(dir)).close();
  const ids = [];
  for (let index = 0; index < TASKS; index += 1) {
    const content = Buffer.from(`content ${index}`);
    const record = recordOf(content);
    const task = join(dir, 'tasks', record.taskId.slice(7, 9), record.taskId);
    mkdirSync(task, { recursive: true });
    const hash = createHash('sha256').update(content).digest();
    writeFileSync(join(task, 'data'), content);
    writeFileSync(
      join(task, 'pieces'),
      Buffer.concat([PIECE_FILE_HEADER, encodeRecord(0, content.length, hash)]),
    );
    writeFileSync(
      join(task, 'meta.json'),
      JSON.stringify({ ...record, version: 1, sealed: true, bootId: 'boot-1' }),
    );
    ids.push(record.taskId);
  }
  const heap = process.memoryUsage().heapUsed;
  const begun = process.cpuUsage();
  const store = await openIn(dir);
  const { user, system } = process.cpuUsage(begun);
  const grownBytes = process.memoryUsage().heapUsed - heap;
  expect([...store.rows()].filter(({ complete }) => complete)).toHaveLength(TASKS);
  // Of the processor, not of the clock: others may hold it, and the disk, meanwhile.
  expect((user + system) / 1_000_000).toBeLessThan(15);
  expect(grownBytes).toBeLessThan(60 * 1024 * 1024);
  const [id] = ids.slice(1234);
  const task = id === undefined ? undefined : await store.open(id);
  expect(task && (await contentOf(task)).toString()).toBe('content 1234');
  await store.close();
});
