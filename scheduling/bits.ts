const WORD = 32;

/** How many 32-bit words hold `bits` bits. */
export function wordsFor(bits: number): number {
  return (bits + WORD - 1) >>> 5;
}

/** A set of small whole numbers that grows; bit 0 is the highest of word 0, so that `Math.clz32` finds the first. */
export class Bits {
  words: Uint32Array;
  #count = 0;

  constructor(capacity = 0) {
    this.words = new Uint32Array(wordsFor(capacity));
  }

  /** How many are in the set. */
  get count(): number {
    return this.#count;
  }

  has(index: number): boolean {
    return ((this.words[index >>> 5] ?? 0) & (0x8000_0000 >>> (index & 31))) !== 0;
  }

  /** Returns whether it was absent. */
  add(index: number): boolean {
    const word = index >>> 5;
    if (word >= this.words.length) this.#grow(word + 1);
    const before = this.words[word] ?? 0;
    const after = (before | (0x8000_0000 >>> (index & 31))) >>> 0;
    if (after === before) return false;
    this.words[word] = after;
    this.#count += 1;
    return true;
  }

  /** Returns whether it was present. */
  delete(index: number): boolean {
    if (!this.has(index)) return false;
    const word = index >>> 5;
    this.words[word] = (this.words[word] ?? 0) & ~(0x8000_0000 >>> (index & 31));
    this.#count -= 1;
    return true;
  }

  /** All members, ascending; the set may shrink or grow during the walk. */
  *values(): Generator<number> {
    for (let word = 0; word < this.words.length; word += 1) {
      let rest = this.words[word] ?? 0;
      while (rest !== 0) {
        const bit = Math.clz32(rest);
        rest &= ~(0x8000_0000 >>> bit);
        yield word * WORD + bit;
      }
    }
  }

  #grow(words: number): void {
    const grown = new Uint32Array(Math.max(words, this.words.length * 2));
    grown.set(this.words);
    this.words = grown;
  }
}
