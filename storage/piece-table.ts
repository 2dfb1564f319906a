import { Bitfield } from '../core/bitfield.ts';
import { LIMITS } from '../core/limits.ts';
import type { PieceRecord } from './piece-file.ts';

const HASH_BYTES = 32;
const FIRST_CAPACITY = 64;

/** Which pieces of one task are there and what their hashes are. Without a length its bitfield grows. */
export class PieceTable {
  readonly pieceLength: number;
  #length: number | undefined;
  #have: Bitfield;
  #hashes: Uint8Array;
  /** Pieces shorter than `pieceLength`, in bytes. */
  readonly #short = new Map<number, number>();
  #storedBytes = 0;

  constructor(pieceLength: number, length: number | undefined) {
    this.pieceLength = pieceLength;
    this.#length = length;
    const count = length === undefined ? FIRST_CAPACITY : Math.ceil(length / pieceLength);
    this.#have = new Bitfield(count);
    this.#hashes = new Uint8Array(count * HASH_BYTES);
  }

  get have(): Bitfield {
    return this.#have;
  }

  get length(): number | undefined {
    return this.#length;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Largest size in bytes that a piece can have; 0 where there is no such piece. */
  sizeLimit(piece: number): number {
    if (piece < 0 || piece >= LIMITS.piecesPerTask) return 0;
    if (this.#length === undefined) return this.pieceLength;
    return Math.max(0, Math.min(this.pieceLength, this.#length - piece * this.pieceLength));
  }

  /** Whether a piece of this many bytes fits here: the exact size, or any up to the limit while the length is unknown. */
  fits(piece: number, bytes: number): boolean {
    const limit = this.sizeLimit(piece);
    return bytes > 0 && (this.#length === undefined ? bytes <= limit : bytes === limit);
  }

  /** Size in bytes of a piece that is there. */
  size(piece: number): number {
    return this.#short.get(piece) ?? this.sizeLimit(piece);
  }

  hash(piece: number): Uint8Array | undefined {
    if (!this.#have.has(piece)) return undefined;
    return this.#hashes.slice(piece * HASH_BYTES, (piece + 1) * HASH_BYTES);
  }

  add({ piece, length, hash }: PieceRecord): void {
    this.delete(piece);
    this.#grow(piece + 1);
    this.#have.add(piece);
    this.#hashes.set(hash, piece * HASH_BYTES);
    if (length !== this.pieceLength) this.#short.set(piece, length);
    this.#storedBytes += length;
  }

  delete(piece: number): boolean {
    if (!this.#have.has(piece)) return false;
    this.#storedBytes -= this.size(piece);
    this.#have.delete(piece);
    this.#short.delete(piece);
    return true;
  }

  /** Replays records as they were written; what does not fit the geometry is passed over. */
  replay(records: Iterable<PieceRecord>): void {
    for (const record of records) {
      if (record.length === 0) this.delete(record.piece);
      else if (this.fits(record.piece, record.length)) this.add(record);
    }
  }

  /** Fixes the length; pieces that do not fit it are no longer there. */
  setLength(length: number): void {
    const old = [...this.records()];
    this.#length = length;
    this.#short.clear();
    this.#storedBytes = 0;
    const count = Math.ceil(length / this.pieceLength);
    this.#have = new Bitfield(count);
    this.#hashes = new Uint8Array(count * HASH_BYTES);
    this.replay(old);
  }

  /** One record for each piece that is there. */
  *records(): Generator<PieceRecord> {
    for (const piece of this.#have.ones()) {
      const hash = this.#hashes.slice(piece * HASH_BYTES, (piece + 1) * HASH_BYTES);
      yield { piece, length: this.size(piece), hash };
    }
  }

  /** Whether every byte of [start, end) is in a piece that is there. */
  covers(start: number, end: number): boolean {
    if (end <= start) return true;
    const first = Math.floor(start / this.pieceLength);
    const last = Math.floor((end - 1) / this.pieceLength);
    if (!this.#have.hasRun(first, last - first + 1)) return false;
    // Without a length any piece can have ended early.
    for (const piece of this.#short.keys()) if (piece >= first && piece < last) return false;
    return end <= last * this.pieceLength + this.size(last);
  }

  #grow(count: number): void {
    if (count <= this.#have.length) return;
    const capacity = Math.max(count, this.#have.length * 2);
    const bits = new Uint8Array(Math.ceil(capacity / 8));
    bits.set(this.#have.toBytes());
    this.#have = new Bitfield(capacity, bits);
    const hashes = new Uint8Array(capacity * HASH_BYTES);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }
}
