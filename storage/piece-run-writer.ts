import { createHash, type Hash } from 'node:crypto';
import { createBufferPool } from '../core/buffer-pool.ts';
import { ShoalError } from '../core/errors.ts';
import type { RunWriter } from './store.ts';
import type { PlaceOwner, WriteDesk } from './write-desk.ts';

/** Called with a piece's SHA-256 and length in bytes. */
export type OnPiece = (piece: number, hash: Uint8Array, length: number) => void;

/** Chunks smaller than this are gathered first: on a slow link they come by the packet, and every write is a call. */
const SMALL_BYTES = 64 * 1024;
const GATHER_BYTES = 256 * 1024;
/** Kept for the writers to come: memory outside the heap, made anew for each piece, has the collector run all the time. */
const GATHER = createBufferPool(GATHER_BYTES, 24);

/** Writes adjacent pieces in place and hashes each on its way; in memory where the place is taken. */
export class PieceRunWriter implements RunWriter, PlaceOwner {
  readonly #desk: WriteDesk;
  readonly #onPiece: OnPiece;
  readonly #last: number;
  #piece: number;
  /** Bytes of the current piece so far. */
  #filled = 0;
  #hash: Hash | undefined;
  /** Small chunks of the current piece that are neither written nor hashed yet: the last `#gathered` bytes of `#filled`. */
  #gather: Buffer | undefined;
  #gathered = 0;
  /** The current piece, where another writer has its place. */
  #buffer: Buffer | undefined;
  #failure: unknown;

  constructor(desk: WriteDesk, first: number, count: number, onPiece: OnPiece) {
    this.#desk = desk;
    this.#onPiece = onPiece;
    this.#piece = first;
    this.#last = first + count - 1;
  }

  write(chunk: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      let at = 0;
      while (at < chunk.length) at += this.#take(chunk, at);
    } catch (error) {
      this.#failure = error;
      this.#desk.abandon(this.#piece, this);
      throw error;
    }
  }

  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#filled > 0) this.#finish();
  }

  lose(): void {
    try {
      this.#flush();
      const kept = this.#desk.readBack(this.#piece, this.#filled);
      this.#buffer = Buffer.allocUnsafeSlow(this.#desk.table.sizeLimit(this.#piece));
      this.#buffer.set(kept);
    } catch (error) {
      // The one that takes the place is not to blame.
      this.#failure = error;
    }
  }

  #take(chunk: Uint8Array, at: number): number {
    const limit = this.#piece > this.#last ? 0 : this.#desk.table.sizeLimit(this.#piece);
    if (limit <= this.#filled) {
      throw new ShoalError('ERR_STORE_IO', `more bytes than the run up to piece ${this.#last} has`);
    }
    if (this.#hash === undefined) {
      this.#hash = createHash('sha256');
      if (!this.#desk.begin(this.#piece, this)) this.#buffer = Buffer.allocUnsafeSlow(limit);
    }
    const most = Math.min(chunk.length - at, limit - this.#filled);
    const small = most < SMALL_BYTES;
    const count = small ? Math.min(most, GATHER_BYTES - this.#gathered) : most;
    const part = count === chunk.length ? chunk : chunk.subarray(at, at + count);
    if (small) {
      this.#gather ??= GATHER.take();
      this.#gather.set(part, this.#gathered);
      this.#gathered += count;
    } else {
      this.#flush();
      this.#put(part, this.#filled);
    }
    this.#filled += count;
    if (this.#gathered === GATHER_BYTES) this.#flush();
    if (this.#filled === limit) this.#finish();
    return count;
  }

  #flush(): void {
    if (this.#gather === undefined || this.#gathered === 0) return;
    const bytes = this.#gather.subarray(0, this.#gathered);
    this.#gathered = 0;
    this.#put(bytes, this.#filled - bytes.length);
  }

  /** Writes and hashes bytes of the current piece from offset `at` in it. */
  #put(bytes: Uint8Array, at: number): void {
    if (this.#buffer !== undefined) this.#buffer.set(bytes, at);
    else this.#desk.write(bytes, this.#piece * this.#desk.table.pieceLength + at);
    this.#hash?.update(bytes);
  }

  #finish(): void {
    this.#flush();
    if (this.#gather !== undefined) GATHER.give(this.#gather);
    this.#gather = undefined;
    const piece = this.#piece;
    const length = this.#filled;
    const hash = (this.#hash ?? createHash('sha256')).digest();
    this.#desk.finished(piece, hash, this.#buffer?.subarray(0, length));
    this.#piece += 1;
    this.#filled = 0;
    this.#hash = undefined;
    this.#buffer = undefined;
    this.#onPiece(piece, hash, length);
  }
}
