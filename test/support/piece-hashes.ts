import { createHash } from 'node:crypto';
import type { PieceHashes } from '../../core/download.ts';

/** What the pieces of this content must be. */
export function hashesOf(content: Uint8Array, bytes = 128 * 1024): PieceHashes {
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += bytes) {
    hashes.push(
      createHash('sha256')
        .update(content.subarray(at, at + bytes))
        .digest(),
    );
  }
  return { bytes, hashes: Buffer.concat(hashes).toString('base64') };
}
