import { createHash, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskId } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { pieceLengthFor } from '../core/piece.ts';
import { openStore } from '../storage/open-store.ts';
import { WholeHasher } from '../storage/whole-hash.ts';

/*
 * How fast the store takes content: 1 GiB in chunks as they come from a socket. Run with `npx tsx bench/store-write.ts`.
 */
const GIB = 1024 ** 3;
const dir = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
const rows: { what: string; chunkKiB: number; gibPerSec: string; cpuSec: string; longestMs: string }[] = [];

async function measure(
  what: string,
  chunkBytes: number,
  run: (chunk: Buffer) => Promise<number>,
): Promise<void> {
  const chunk = randomBytes(chunkBytes);
  const cpu = process.cpuUsage();
  const began = performance.now();
  const longestMs = await run(chunk);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  rows.push({
    what,
    chunkKiB: chunkBytes / 1024,
    gibPerSec: (1 / seconds).toFixed(2),
    cpuSec: ((user + system) / 1e6).toFixed(2),
    longestMs: longestMs.toFixed(1),
  });
}

async function raw(chunk: Buffer): Promise<number> {
  const path = join(dir, 'raw');
  const fd = openSync(path, 'w');
  let longest = 0;
  for (let at = 0; at < GIB; at += chunk.length) {
    const began = performance.now();
    writeSync(fd, chunk, 0, chunk.length, at);
    longest = Math.max(longest, performance.now() - began);
  }
  closeSync(fd);
  rmSync(path);
  return longest;
}

async function rawAsync(chunk: Buffer): Promise<number> {
  const path = join(dir, 'raw');
  const handle = await open(path, 'w');
  const hash = createHash('sha256');
  for (let at = 0; at < GIB; at += chunk.length) {
    hash.update(chunk);
    await handle.write(chunk, 0, chunk.length, at);
  }
  await handle.close();
  rmSync(path);
  return 0;
}

let tasks = 0;
async function stored(chunk: Buffer, whole: boolean): Promise<number> {
  const store = await openStore({
    dir: join(dir, 'store'),
    quotaBytes: 2 * GIB,
    clock: { wall: () => Date.now() },
    logger: silentLogger,
  });
  tasks += 1;
  const taskId = `url-${tasks.toString(16).padStart(64, '0')}` as TaskId;
  const pieceLength = pieceLengthFor(GIB);
  const task = await store.create({ taskId, length: GIB, pieceLength, audience: 'public', sources: [] });
  const hasher = whole ? new WholeHasher(task, 'sha256') : undefined;
  const writer = task.writer(0, GIB / pieceLength, (piece, hash, length) => {
    task.commit(piece, hash, length);
    hasher?.advance();
  });
  let longest = 0;
  for (let at = 0; at < GIB; at += chunk.length) {
    const began = performance.now();
    const given = writer.write(chunk);
    longest = Math.max(longest, performance.now() - began);
    if (given !== undefined) await given;
    if (whole && (at & 0x3fffff) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await hasher?.digest();
  await task.seal();
  await store.remove(taskId);
  await store.close();
  return longest;
}

for (const chunkBytes of [64 * 1024, 256 * 1024, 1024 * 1024]) {
  await measure('writeSync alone', chunkBytes, raw);
  await measure('async write + sha256', chunkBytes, rawAsync);
  await measure('store', chunkBytes, (chunk) => stored(chunk, false));
  await measure('store + whole hash', chunkBytes, (chunk) => stored(chunk, true));
}
rmSync(dir, { recursive: true });
process.stdout.write(`${['what', 'chunk KiB', 'GiB/s', 'CPU s', 'longest ms'].join('\t')}\n`);
for (const row of rows) process.stdout.write(`${Object.values(row).join('\t')}\n`);
