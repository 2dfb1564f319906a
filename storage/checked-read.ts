import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ShoalError } from '../core/errors.ts';
import type { PieceTable } from './piece-table.ts';

/** A piece longer than a reader's buffer is read twice, in blocks of this size. */
const BLOCK_BYTES = 256 * 1024;

/** Reads content unproven. Fills the buffer, or throws. */
type ReadAll = (buffer: Uint8Array, position: number) => Promise<void>;

/** A piece that has proven right, and the checksums that its blocks had then. */
interface Proven {
  readonly piece: number;
  readonly checksums: readonly number[];
}

/**
 * Reads the content of one task for one reader, and proves what it gives: each byte was read from disk, in this call,
 * as part of a piece whose SHA-256 is the recorded one. A piece that fits the buffer is hashed there. A longer one is
 * hashed first and read again block by block, each block compared by its CRC-32 with what was hashed.
 */
export class CheckedRead {
  readonly #table: PieceTable;
  readonly #readAll: ReadAll;
  #proven: Proven | undefined;
  #block = Buffer.alloc(0);

  constructor(table: PieceTable, readAll: ReadAll) {
    this.#table = table;
    this.#readAll = readAll;
  }

  /**
   * Gives content from `position` on, perhaps less than fits; returns how many bytes. The pieces must be there.
   * @throws ERR_STORE_IO, ERR_STORE_CORRUPT with the piece in its details
   */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    const { pieceLength } = this.#table;
    let done = 0;
    while (done < buffer.length) {
      const at = position + done;
      const piece = Math.floor(at / pieceLength);
      const start = piece * pieceLength;
      const size = this.#table.have.has(piece) ? this.#table.size(piece) : 0;
      if (at - start >= size) {
        if (done > 0 || at === this.#table.length) break;
        throw new ShoalError('ERR_STORE_IO', `byte ${at} is not stored`);
      }
      const room = buffer.subarray(done);
      if (at === start && size <= room.length) {
        await this.#whole(piece, room.subarray(0, size), start);
        done += size;
      } else if (done > 0) break;
      else return this.#part(piece, room, at);
      // Without a length any piece may be the last.
      if (size < pieceLength) break;
    }
    return done;
  }

  /** Whether a stored piece is on disk as it was recorded. @throws ERR_STORE_IO */
  async isRight(piece: number): Promise<boolean> {
    try {
      await this.#prove(piece, piece * this.#table.pieceLength);
      return true;
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'ERR_STORE_CORRUPT') return false;
      throw error;
    }
  }

  async #whole(piece: number, into: Uint8Array, start: number): Promise<void> {
    const hash = this.#hashOf(piece);
    await this.#readPiece(piece, into, start);
    if (Buffer.compare(createHash('sha256').update(into).digest(), hash) !== 0) throw corrupt(piece);
  }

  async #part(piece: number, into: Uint8Array, position: number): Promise<number> {
    const start = piece * this.#table.pieceLength;
    if (this.#proven?.piece !== piece) this.#proven = await this.#prove(piece, start);
    const index = Math.floor((position - start) / BLOCK_BYTES);
    const blockStart = start + index * BLOCK_BYTES;
    const block = this.#blockBuffer(Math.min(BLOCK_BYTES, start + this.#table.size(piece) - blockStart));
    await this.#readPiece(piece, block, blockStart);
    if (crc32(block) !== this.#proven.checksums[index]) throw corrupt(piece);
    const given = block.subarray(position - blockStart, position - blockStart + into.length);
    into.set(given);
    return given.length;
  }

  async #prove(piece: number, start: number): Promise<Proven> {
    const recorded = this.#hashOf(piece);
    const size = this.#table.size(piece);
    const hash = createHash('sha256');
    const checksums: number[] = [];
    for (let done = 0; done < size; done += BLOCK_BYTES) {
      const block = this.#blockBuffer(Math.min(BLOCK_BYTES, size - done));
      await this.#readPiece(piece, block, start + done);
      hash.update(block);
      checksums.push(crc32(block));
    }
    if (Buffer.compare(hash.digest(), recorded) !== 0) throw corrupt(piece);
    return { piece, checksums };
  }

  async #readPiece(piece: number, buffer: Uint8Array, position: number): Promise<void> {
    try {
      await this.#readAll(buffer, position);
    } catch (error) {
      if (isGone(error)) throw corrupt(piece, error);
      throw error;
    }
  }

  #hashOf(piece: number): Uint8Array {
    const hash = this.#table.hash(piece);
    if (hash === undefined) throw new ShoalError('ERR_STORE_IO', `piece ${piece} is not stored`);
    return hash;
  }

  #blockBuffer(bytes: number): Buffer {
    if (this.#block.length === 0) this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    return this.#block.subarray(0, bytes);
  }
}

/** Whether the file ends before what was recorded, or is not there at all. */
function isGone(error: unknown): boolean {
  if (!(error instanceof ShoalError)) return false;
  const { cause } = error;
  return (
    error.code === 'ERR_STORE_CORRUPT' ||
    (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')
  );
}

function corrupt(piece: number, cause?: unknown): ShoalError {
  const message = `piece ${piece} on disk is not what was recorded`;
  return new ShoalError('ERR_STORE_CORRUPT', message, { cause, details: { piece } });
}
