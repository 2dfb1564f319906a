import type { Random } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';
import { wordsFor } from './bits.ts';
import type { Member } from './member.ts';
import { RarityOrder } from './rarity.ts';

/** Key of a piece that no live host holds and nobody is fetching: only the origin has it. */
export const KEY_LOST = 0;
/** Key of a piece that no live host holds yet, but somebody is fetching. */
export const KEY_COMING = 1;
/** Key of a piece with one copy and none in flight; one more for each copy and each flight. */
export const KEY_RAREST = 2;

const PIECES_A_FLIGHT = 128;

/** Who holds and who is fetching which piece, by piece: a matrix of bits, counts, and the order of rarity. */
export class Holdings {
  readonly order: RarityOrder;
  /** Words of the matrix in one piece's row of hosts. */
  hostWords = 1;
  /** Row p: the hosts that can give piece p. */
  matrix = new Uint32Array(0);
  /** Words of the marks in one piece's row. */
  markWords = 1;
  /** Row p: which words of row p of the matrix have any bit, so that one who looks for holders looks at no others. */
  marks = new Uint32Array(0);
  #copies = new Int32Array(0);
  #flights = new Int32Array(0);
  #pieces = 0;
  /** No piece below this one has KEY_LOST. */
  #lowestLost = 0;

  constructor(random: Random) {
    this.order = new RarityOrder(random);
  }

  get pieces(): number {
    return this.#pieces;
  }

  copies(piece: number): number {
    return this.#copies[piece] ?? 0;
  }

  /** How many children are fetching the piece. */
  flights(piece: number): number {
    return this.#flights[piece] ?? 0;
  }

  /**
   * Whether so many children are fetching the piece as there are copies, and one more for each 128 pieces of the task. A
   * further one would only divide the uplink of the holders; who waits for the copies on their way finds twice as many
   * holders. Where there are many pieces, children find others to fetch meanwhile.
   */
  doubling(piece: number): boolean {
    return this.flights(piece) >= this.copies(piece) + Math.floor(this.#pieces / PIECES_A_FLIGHT);
  }

  /** How many pieces only the origin has. */
  get lost(): number {
    return this.order.startOf(KEY_COMING);
  }

  /** The lowest piece that only the origin has, or -1. */
  firstLost(): number {
    if (this.lost === 0) return -1;
    while (this.order.key(this.#lowestLost) !== KEY_LOST) this.#lowestLost += 1;
    return this.#lowestLost;
  }

  /** Makes room for that many pieces; capped at LIMITS.piecesPerTask. */
  grow(pieces: number): void {
    const size = Math.min(pieces, LIMITS.piecesPerTask);
    if (size <= this.#pieces) return;
    if (size > this.#copies.length) {
      const capacity = Math.max(size, this.#copies.length * 2, 64);
      this.#copies = copyInto(new Int32Array(capacity), this.#copies);
      this.#flights = copyInto(new Int32Array(capacity), this.#flights);
      this.matrix = copyInto(new Uint32Array(capacity * this.hostWords), this.matrix);
      this.marks = copyInto(new Uint32Array(capacity * this.markWords), this.marks);
    }
    this.#lowestLost = Math.min(this.#lowestLost, this.#pieces);
    this.#pieces = size;
    this.order.grow(size);
  }

  /** Cuts the pieces off that content of that many pieces has not; nobody may hold or fetch them any more. */
  shrink(pieces: number): void {
    if (pieces >= this.#pieces) return;
    this.#pieces = pieces;
    this.order.shrink(pieces);
  }

  /** Makes room in every row for that many hosts. */
  growHosts(hosts: number): void {
    const words = wordsFor(hosts);
    if (words <= this.hostWords) return;
    const wide = Math.max(words, this.hostWords * 2);
    const markWide = wordsFor(wide);
    this.matrix = this.#widened(this.matrix, this.hostWords, wide);
    this.marks = this.#widened(this.marks, this.markWords, markWide);
    this.hostWords = wide;
    this.markWords = markWide;
  }

  #widened(rows: Uint32Array, narrow: number, wide: number): Uint32Array<ArrayBuffer> {
    const widened = new Uint32Array(this.#copies.length * wide);
    for (let piece = 0; piece < this.#pieces; piece += 1) {
      widened.set(rows.subarray(piece * narrow, (piece + 1) * narrow), piece * wide);
    }
    return widened;
  }

  /** Counts the member among those that can give the piece. */
  serve(member: Member, piece: number): void {
    const word = piece * this.hostWords + (member.index >>> 5);
    this.matrix[word] = (this.matrix[word] ?? 0) | (0x8000_0000 >>> (member.index & 31));
    this.#mark(piece, member.index >>> 5, true);
    this.#copies[piece] = this.copies(piece) + 1;
    this.#rank(piece);
  }

  /** Takes back what `serve` said. */
  unserve(member: Member, piece: number): void {
    const word = piece * this.hostWords + (member.index >>> 5);
    this.matrix[word] = (this.matrix[word] ?? 0) & ~(0x8000_0000 >>> (member.index & 31));
    this.#mark(piece, member.index >>> 5, this.matrix[word] !== 0);
    this.#copies[piece] = this.copies(piece) - 1;
    this.#rank(piece);
  }

  #mark(piece: number, word: number, on: boolean): void {
    const at = piece * this.markWords + (word >>> 5);
    const bit = 0x8000_0000 >>> (word & 31);
    this.marks[at] = on ? (this.marks[at] ?? 0) | bit : (this.marks[at] ?? 0) & ~bit;
  }

  /** Counts one child more (1) or fewer (-1) that is fetching the piece. */
  fly(piece: number, by: 1 | -1): void {
    this.#flights[piece] = (this.#flights[piece] ?? 0) + by;
    this.#rank(piece);
  }

  /** The piece has come: its flight turns into a copy, and its rank stays. */
  land(member: Member, piece: number): void {
    this.#flights[piece] = (this.#flights[piece] ?? 0) - 1;
    this.serve(member, piece);
  }

  #rank(piece: number): void {
    const copies = this.copies(piece);
    const flights = this.#flights[piece] ?? 0;
    const key = copies > 0 ? copies + flights + 1 : flights > 0 ? KEY_COMING : KEY_LOST;
    this.order.set(piece, key);
    if (key === KEY_LOST && piece < this.#lowestLost) this.#lowestLost = piece;
  }
}

function copyInto<T extends Int32Array | Uint32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
