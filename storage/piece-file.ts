import { crc32 } from 'node:zlib';

/*
 * `pieces`: a header, then records of equal size. A record is written after the bytes it speaks of and never
 * changed; the last one of a piece counts. Zero length is a tombstone.
 */

/** One line of the file: the piece is there with this hash, or, with length 0, no longer there. */
export interface PieceRecord {
  readonly piece: number;
  /** Bytes; 0 takes the piece back. */
  readonly length: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/** What a piece file says, and how far it can be believed. */
export interface PieceScan {
  readonly records: readonly PieceRecord[];
  /** Where the next record goes, in bytes; what lies behind is torn. */
  readonly end: number;
  /** A whole record is damaged: nothing here is proven, as it may have been a tombstone. */
  readonly damaged: boolean;
}

/** Size of a record in bytes. */
export const RECORD_BYTES = 44;
/** First bytes of every piece file: name and version. */
export const PIECE_FILE_HEADER: Uint8Array = Buffer.from('SHOALPIECES\0\0\0\0\x01', 'latin1');

const NO_HASH = new Uint8Array(32);

/** @param hash 32 bytes; absent in a tombstone, whose length is 0. */
export function encodeRecord(piece: number, length: number, hash: Uint8Array = NO_HASH): Uint8Array {
  const record = Buffer.alloc(RECORD_BYTES);
  record.writeUInt32BE(piece, 0);
  record.writeUInt32BE(length, 4);
  record.set(hash, 8);
  record.writeUInt32BE(crc32(record.subarray(0, 40)), 40);
  return record;
}

/** Reads a piece file; undefined where its header is not one of this version. Never throws. */
export function scanPieceFile(bytes: Uint8Array): PieceScan | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = PIECE_FILE_HEADER.length;
  if (!file.subarray(0, start).equals(PIECE_FILE_HEADER)) return undefined;
  const records: PieceRecord[] = [];
  const whole = Math.floor((file.length - start) / RECORD_BYTES);
  let damaged = false;
  for (let index = 0; index < whole; index += 1) {
    const at = start + index * RECORD_BYTES;
    if (file.readUInt32BE(at + 40) !== crc32(file.subarray(at, at + 40))) {
      damaged = true;
      continue;
    }
    records.push({
      piece: file.readUInt32BE(at),
      length: file.readUInt32BE(at + 4),
      hash: file.subarray(at + 8, at + 40),
    });
  }
  return { records, end: start + whole * RECORD_BYTES, damaged };
}
