import { type Random, randomInt } from '../core/clock.ts';

/**
 * Every piece in the order of its key (small whole numbers, near to each other), equal keys in random order.
 * A change of key by one costs two swaps, however many pieces there are.
 */
export class RarityOrder {
  readonly #random: Random;
  #order = new Int32Array(0);
  #position = new Int32Array(0);
  #key = new Int32Array(0);
  #size = 0;
  /** #start[k]: position of the first piece with a key of k or more. */
  readonly #start: number[] = [0, 0];

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#size;
  }

  at(position: number): number {
    return this.#order[position] ?? -1;
  }

  key(piece: number): number {
    return this.#key[piece] ?? 0;
  }

  /** Position of the first piece whose key is `key` or more; the size where there is none. */
  startOf(key: number): number {
    return this.#start[key] ?? this.#size;
  }

  /** Appends pieces with key 0 until there are `size`. */
  grow(size: number): void {
    if (size > this.#order.length) {
      const capacity = Math.max(size, this.#order.length * 2, 64);
      this.#order = enlarge(this.#order, capacity);
      this.#position = enlarge(this.#position, capacity);
      this.#key = enlarge(this.#key, capacity);
    }
    while (this.#size < size) {
      const piece = this.#size;
      this.#order[piece] = piece;
      this.#position[piece] = piece;
      this.#size += 1;
      const top = this.#start.length - 1;
      this.#key[piece] = top;
      this.#start[top] = piece;
      this.set(piece, 0);
    }
  }

  /** Drops the highest pieces until there are `size`. */
  shrink(size: number): void {
    if (size >= this.#size) return;
    const top = this.#start.length;
    this.#ensure(top + 1);
    while (this.#size > size) {
      const piece = this.#size - 1;
      this.set(piece, top);
      this.#size = piece;
      for (let key = this.#start.length - 1; (this.#start[key] ?? 0) > piece; key -= 1)
        this.#start[key] = piece;
    }
  }

  set(piece: number, key: number): void {
    while (this.key(piece) < key) this.#raise(piece);
    while (this.key(piece) > key) this.#lower(piece);
  }

  #raise(piece: number): void {
    const key = this.key(piece);
    this.#ensure(key + 2);
    const edge = this.startOf(key + 1) - 1;
    this.#swap(this.#position[piece] ?? 0, edge);
    this.#start[key + 1] = edge;
    this.#key[piece] = key + 1;
    this.#mix(edge, edge, this.startOf(key + 2));
  }

  #lower(piece: number): void {
    const key = this.key(piece);
    const edge = this.startOf(key);
    this.#swap(this.#position[piece] ?? 0, edge);
    this.#start[key] = edge + 1;
    this.#key[piece] = key - 1;
    this.#mix(edge, this.startOf(key - 1), edge + 1);
  }

  /** Puts a newcomer at a random place of its bucket [from, to). */
  #mix(position: number, from: number, to: number): void {
    if (to - from > 1) this.#swap(position, from + randomInt(this.#random, to - from));
  }

  #swap(left: number, right: number): void {
    const one = this.at(left);
    const other = this.at(right);
    this.#order[left] = other;
    this.#order[right] = one;
    this.#position[one] = right;
    this.#position[other] = left;
  }

  #ensure(key: number): void {
    while (this.#start.length <= key) this.#start.push(this.#size);
  }
}

function enlarge(array: Int32Array<ArrayBuffer>, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity);
  grown.set(array);
  return grown;
}
