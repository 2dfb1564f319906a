import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskId } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { openStore } from '../storage/open-store.ts';
import type { Store } from '../storage/store.ts';

/*
 * What 10,000 small tasks cost: to make, to find at a start, in memory, and a commit on its own.
 * Run with `node --expose-gc --import tsx bench/store-start.ts`.
 */
const TASKS = 10_000;
const found = process.argv[2];
const dir = found ?? mkdtempSync(join(tmpdir(), 'shoal-bench-'));
const options = { dir, quotaBytes: 1e12, clock: { wall: () => Date.now() }, logger: silentLogger };
const say = (what: string, value: string) => process.stdout.write(`${what.padEnd(48)} ${value}\n`);

if (found === undefined) {
  await make();
  // A process of its own, so that what making them cost is not counted.
  execFileSync(process.execPath, [...process.execArgv, process.argv[1] ?? '', dir], { stdio: 'inherit' });
  rmSync(dir, { recursive: true });
} else {
  await find();
}

async function make(): Promise<void> {
  const store = await openStore(options);
  const began = performance.now();
  for (let index = 0; index < TASKS; index += 1) {
    const content = Buffer.from(`content ${index}`);
    const taskId = `sha256-${createHash('sha256').update(content).digest('hex')}` as TaskId;
    const length = content.length;
    const task = await store.create({
      taskId,
      length,
      pieceLength: 131_072,
      audience: 'public',
      sources: [],
    });
    void task.writer(0, 1, (piece, hash, bytes) => task.commit(piece, hash, bytes)).write(content);
    await task.seal();
  }
  say('make one small task, microseconds', (((performance.now() - began) / TASKS) * 1000).toFixed(0));
  await store.close();
}

async function find(): Promise<void> {
  const residentMib = () => (process.memoryUsage().rss / 1024 / 1024).toFixed(1);
  globalThis.gc?.();
  say('resident before, MiB', residentMib());
  const heap = process.memoryUsage().heapUsed;
  const began = performance.now();
  const store = await openStore(options);
  say(`find ${TASKS} tasks, ms`, (performance.now() - began).toFixed(0));
  say('resident after, MiB', residentMib());
  globalThis.gc?.();
  say('heap kept, MiB', ((process.memoryUsage().heapUsed - heap) / 1024 / 1024).toFixed(1));
  await commits(store);
  await store.close();
}

async function commits(store: Store): Promise<void> {
  const taskId = `url-${'0'.repeat(64)}` as TaskId;
  const length = 131_072 * 8192;
  const task = await store.create({ taskId, length, pieceLength: 131_072, audience: 'public', sources: [] });
  const piece = Buffer.alloc(131_072);
  const hash = createHash('sha256').update(piece).digest();
  let spentMs = 0;
  for (let index = 0; index < 4096; index += 1) {
    void task.writer(index, 1, () => {}).write(piece);
    const began = performance.now();
    task.commit(index, hash, piece.length);
    spentMs += performance.now() - began;
  }
  say('commit one piece, microseconds', ((spentMs / 4096) * 1000).toFixed(1));
}
