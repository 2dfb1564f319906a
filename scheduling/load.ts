import { wordsFor } from './bits.ts';

const LEVELS = 16;

/** Which hosts have a free upload slot, by how many are in use: sets of bits over the hosts of a task. */
export class Load {
  /** Hosts with any free slot. */
  free = new Uint32Array(1);
  /** Hosts with a free slot and i slots in use; the last level stands for all higher ones. */
  readonly levels: Uint32Array[] = Array.from({ length: LEVELS }, () => new Uint32Array(1));
  /** How many hosts are in each level. */
  readonly counts = new Int32Array(LEVELS);
  #level: Int8Array = new Int8Array(32).fill(-1);
  #freeHosts = 0;

  /** How many hosts have a free slot. */
  get freeHosts(): number {
    return this.#freeHosts;
  }

  /** Makes room for that many hosts. */
  grow(hosts: number): void {
    const words = wordsFor(hosts);
    if (words <= this.free.length) return;
    const wide = Math.max(words, this.free.length * 2);
    this.free = widen(this.free, wide);
    for (let level = 0; level < LEVELS; level += 1) {
      this.levels[level] = widen(this.levels[level] ?? this.free, wide);
    }
    const grown = new Int8Array(wide * 32).fill(-1);
    grown.set(this.#level);
    this.#level = grown;
  }

  /** Says how many slots of the host are in use; undefined: none is free. */
  set(host: number, used: number | undefined): void {
    const before = this.#level[host] ?? -1;
    const after = used === undefined ? -1 : Math.min(used, LEVELS - 1);
    if (before === after) return;
    const word = host >>> 5;
    const bit = 0x8000_0000 >>> (host & 31);
    if (before >= 0) this.#put(before, word, bit, false);
    if (after >= 0) this.#put(after, word, bit, true);
    this.#level[host] = after;
    if (before < 0) this.#freeHosts += 1;
    if (after < 0) this.#freeHosts -= 1;
    this.free[word] = after >= 0 ? (this.free[word] ?? 0) | bit : (this.free[word] ?? 0) & ~bit;
  }

  #put(level: number, word: number, bit: number, on: boolean): void {
    const words = this.levels[level];
    if (words === undefined) return;
    words[word] = on ? (words[word] ?? 0) | bit : (words[word] ?? 0) & ~bit;
    this.counts[level] = (this.counts[level] ?? 0) + (on ? 1 : -1);
  }
}

function widen(words: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const wide = new Uint32Array(length);
  wide.set(words);
  return wide;
}
