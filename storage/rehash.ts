import { createHash } from 'node:crypto';
import type { Backing } from './backing.ts';
import type { PieceTable } from './piece-table.ts';

const BUFFER_BYTES = 1024 * 1024;

/** Reads every recorded piece again and takes those back whose bytes are not what was recorded. Returns how many. */
export async function rehash(table: PieceTable, backing: Backing): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(BUFFER_BYTES, table.pieceLength));
  let wrong = 0;
  for (const { piece, length, hash } of [...table.records()]) {
    const seen = await hashOf(backing, buffer, piece * table.pieceLength, length);
    if (Buffer.compare(seen, hash) === 0) continue;
    table.delete(piece);
    wrong += 1;
  }
  return wrong;
}

async function hashOf(backing: Backing, buffer: Buffer, start: number, length: number): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for (let done = 0; done < length; ) {
    const part = buffer.subarray(0, Math.min(buffer.length, length - done));
    const count = await backing.read(part, start + done);
    if (count === 0) break;
    hash.update(part.subarray(0, count));
    done += count;
  }
  return hash.digest();
}
