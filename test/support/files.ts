import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, createReadStream, openSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export const MIB = 1024 * 1024;

/** Writes a file of random bytes. Returns its digest, `sha256:<hex>`. */
export function writeRandomFile(path: string, bytes: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(8 * MIB);
  const file = openSync(path, 'w');
  try {
    for (let left = bytes; left > 0; left -= buffer.length) {
      const chunk = buffer.subarray(0, Math.min(left, buffer.length));
      randomFillSync(chunk);
      hash.update(chunk);
      writeSync(file, chunk);
    }
  } finally {
    closeSync(file);
  }
  return `sha256:${hash.digest('hex')}`;
}

/** The digest of a file, `sha256:<hex>`. */
export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return `sha256:${hash.digest('hex')}`;
}

/** The data files a daemon keeps below its `--dir`. */
export function dataFiles(dir: string): string[] {
  const names = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  };
  const tasks = join(dir, 'tasks');
  return names(tasks)
    .flatMap((prefix) => names(join(tasks, prefix)).map((task) => join(tasks, prefix, task, 'data')))
    .filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
}

/** Bytes on disk of everything a daemon keeps: its data files are sparse, so this grows as pieces arrive. */
export function storedBytes(dir: string): number {
  let bytes = 0;
  for (const path of dataFiles(dir)) bytes += (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  return bytes;
}
