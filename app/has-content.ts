import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { DownloadResult } from '../core/download.ts';
import { type Digest, digestAlgorithm } from '../core/ids.ts';
import { bytesOfFile } from './file-print.ts';

/** Whether a file is there with this digest. */
export async function hasDigest(path: string, digest: Digest): Promise<boolean> {
  if (sizeOf(path) === undefined) return false;
  const algorithm = digestAlgorithm(digest);
  const hash = createHash(algorithm);
  for await (const chunk of bytesOfFile(path)) hash.update(chunk);
  return digest === `${algorithm}:${hash.digest('hex')}`;
}

/** Whether a file is there with the bytes that were got; false also where their hashes were not told. */
export async function hasPieces(
  path: string,
  { length, pieces }: Pick<DownloadResult, 'length' | 'pieces'>,
): Promise<boolean> {
  if (pieces === undefined || sizeOf(path) !== length) return false;
  const expected = Buffer.from(pieces.hashes, 'base64');
  let hash = createHash('sha256');
  let at = 0;
  let piece = 0;
  for await (const chunk of bytesOfFile(path)) {
    for (let from = 0; from < chunk.length; ) {
      const end = Math.min(length, (piece + 1) * pieces.bytes);
      const part = chunk.subarray(from, from + end - at);
      if (part.length === 0) return false;
      hash.update(part);
      at += part.length;
      from += part.length;
      if (at < end) continue;
      if (!hash.digest().equals(expected.subarray(piece * 32, (piece + 1) * 32))) return false;
      hash = createHash('sha256');
      piece += 1;
    }
  }
  return at === length;
}

function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}
