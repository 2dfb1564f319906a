import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import { openStore, type StoreOptions } from '../../storage/open-store.ts';
import type { Store, StoredTask, TaskRecord } from '../../storage/store.ts';

export const KIB = 1024;
export const PIECE = 128 * KIB;

/** A wall clock that moves on by a second each time it is read. */
export function steppingClock() {
  let nowMs = 1_700_000_000_000;
  return { wall: () => (nowMs += 1000) };
}

export function temporaryDir(parent = tmpdir()): string {
  const dir = mkdtempSync(join(parent, 'shoal-store-'));
  // Ten thousand files take their time on a busy disk.
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }), 600_000);
  return dir;
}

export function openIn(dir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    dir,
    quotaBytes: 1e9,
    clock: steppingClock(),
    logger: silentLogger,
    bootId: 'boot-1',
    ...options,
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Content with the record of its task. */
export function sample(bytes: number, pieceLength = PIECE): { content: Buffer; record: TaskRecord } {
  const content = randomBytes(bytes);
  return { content, record: recordOf(content, pieceLength) };
}

export function recordOf(content: Buffer, pieceLength = PIECE): TaskRecord {
  return {
    taskId: `sha256-${sha256(content)}` as TaskId,
    length: content.length,
    pieceLength,
    audience: 'public',
    sources: [{ url: 'http://origin.example/a', credentials: false }],
  };
}

/** Writes and commits all pieces of content from `first` on, in chunks that do not match pieces. */
export function fill(
  task: StoredTask,
  content: Buffer,
  first = 0,
  count = Number.MAX_SAFE_INTEGER,
  chunk = 50_000,
): void {
  const { pieceLength } = task.record;
  const writer = task.writer(first, count, (piece, hash, length) => task.commit(piece, hash, length));
  const end = Math.min(content.length, (first + count) * pieceLength);
  for (let at = first * pieceLength; at < end; at += chunk) {
    void writer.write(Buffer.from(content.subarray(at, Math.min(end, at + chunk))));
  }
  void writer.end();
}

/** A complete task of random bytes. */
export async function stored(
  store: Store,
  bytes: number,
  pieceLength = PIECE,
): Promise<{ task: StoredTask; content: Buffer }> {
  const { content, record } = sample(bytes, pieceLength);
  const task = await store.create(record);
  fill(task, content);
  await task.seal();
  return { task, content };
}

export async function contentOf(task: StoredTask, start = 0, end = task.record.length ?? 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of task.stream({ start, end })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ShoalError) return error.code;
    throw error;
  }
  return 'none';
}

export function thrownCode(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ShoalError) return error.code;
    throw error;
  }
  return 'none';
}
