import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ShoalError } from '../core/errors.ts';
import { makeDir } from '../storage/private-files.ts';

const SHARE = 0.8;

/**
 * Bytes of cache where `cache-size` is not set: 80 % of what is free and of what `dir` takes already, so that a
 * restart finds the same. Makes `dir` where it is missing.
 * @throws ERR_STORE_IO
 */
export function defaultCacheBytes(dir: string): number {
  try {
    makeDir(dir);
    const disk = statfsSync(dir);
    return Math.floor((disk.bavail * disk.bsize + usedBytes(dir)) * SHARE);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_STORE_IO', `cannot use the directory ${dir}: ${why}`, { cause });
  }
}

/** Bytes on disk, not lengths: the files are sparse. */
function usedBytes(dir: string): number {
  let bytes = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) bytes += usedBytes(path);
    else if (entry.isFile()) bytes += (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }
  return bytes;
}
