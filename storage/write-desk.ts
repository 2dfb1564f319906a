import { ShoalError } from '../core/errors.ts';
import type { Backing } from './backing.ts';
import type { PieceTable } from './piece-table.ts';

/** A writer that has a piece's place on disk until somebody else takes it. */
export interface PlaceOwner {
  /** Called while its bytes are still in place, which they are not afterwards. */
  lose(): void;
}

/** A piece of a second writer, kept in memory until one of them proves right. */
interface Candidate {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Candidates of one task at most; the oldest goes first. */
const CANDIDATES = 4;

const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/**
 * Who writes which piece of a task. Two transfers of one piece can run at once and one of them can lie, so only one
 * writes in place, and only bytes whose hash was taken on their way to the place can be committed.
 */
export class WriteDesk {
  readonly table: PieceTable;
  readonly #backing: Backing;
  readonly #owners = new Map<number, PlaceOwner>();
  readonly #written = new Map<number, Uint8Array>();
  readonly #candidates = new Map<number, Candidate>();
  readonly #writeAt: (bytes: Uint8Array, position: number) => void;

  /** @param writeAt Writes in place, making room where it can. */
  constructor(table: PieceTable, backing: Backing, writeAt: (bytes: Uint8Array, position: number) => void) {
    this.table = table;
    this.#backing = backing;
    this.#writeAt = writeAt;
  }

  /** Gives the place of a piece to a writer that begins it; false where the piece is there already. */
  begin(piece: number, owner: PlaceOwner): boolean {
    if (this.table.have.has(piece)) return false;
    this.#owners.get(piece)?.lose();
    this.#owners.set(piece, owner);
    this.#written.delete(piece);
    return true;
  }

  write(bytes: Uint8Array, position: number): void {
    this.#writeAt(bytes, position);
  }

  /** Bytes of a piece from its place, for the writer that loses it. */
  readBack(piece: number, bytes: number): Uint8Array {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    if (this.#backing.readSync(buffer, piece * this.table.pieceLength) !== bytes) {
      throw new ShoalError('ERR_STORE_CORRUPT', `piece ${piece} is cut short on disk`);
    }
    return buffer;
  }

  finished(piece: number, hash: Uint8Array, buffered: Uint8Array | undefined): void {
    if (buffered === undefined) {
      this.#owners.delete(piece);
      this.#written.set(piece, hash);
      return;
    }
    this.#candidates.delete(piece);
    this.#candidates.set(piece, { hash, bytes: buffered });
    for (const oldest of this.#candidates.keys()) {
      if (this.#candidates.size <= CANDIDATES) break;
      this.#candidates.delete(oldest);
    }
  }

  abandon(piece: number, owner: PlaceOwner): void {
    if (this.#owners.get(piece) === owner) this.#owners.delete(piece);
  }

  /** Sees to it that the bytes of this hash are in place. @throws ERR_STORE_IO where nobody wrote them */
  settle(piece: number, hash: Uint8Array): void {
    const written = this.#written.get(piece);
    const candidate = this.#candidates.get(piece);
    if (written === undefined || !equal(written, hash)) {
      if (candidate === undefined || !equal(candidate.hash, hash)) {
        throw new ShoalError('ERR_STORE_IO', `piece ${piece} was not written with this hash`);
      }
      this.#owners.get(piece)?.lose();
      this.#owners.delete(piece);
      this.#written.delete(piece);
      this.#writeAt(candidate.bytes, piece * this.table.pieceLength);
      this.#written.set(piece, hash);
    }
  }

  /** The piece is recorded: what was kept for it can go. */
  settled(piece: number): void {
    this.#written.delete(piece);
    this.#candidates.delete(piece);
  }
}
