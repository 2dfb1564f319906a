/** A fixed number of bits, bit 0 the highest of byte 0, as BitTorrent lays them out. */
export class Bitfield {
  readonly length: number;
  readonly #bytes: Uint8Array;
  #count: number;

  constructor(length: number, bytes?: Uint8Array) {
    this.length = length;
    this.#bytes = new Uint8Array(Math.ceil(length / 8));
    this.#count = 0;
    if (bytes === undefined) return;
    if (bytes.length !== this.#bytes.length) {
      throw new RangeError(
        `bitfield of ${length} bits needs ${this.#bytes.length} bytes, got ${bytes.length}`,
      );
    }
    this.#bytes.set(bytes);
    const spare = this.#bytes.length * 8 - length;
    if (spare > 0) {
      const last = this.#bytes.length - 1;
      this.#bytes[last] = (this.#bytes[last] ?? 0) & (0xff << spare);
    }
    for (const byte of this.#bytes) {
      let rest = byte;
      while (rest !== 0) {
        rest &= rest - 1;
        this.#count += 1;
      }
    }
  }

  static full(length: number): Bitfield {
    return new Bitfield(length, new Uint8Array(Math.ceil(length / 8)).fill(0xff));
  }

  /** How many bits are set. */
  get count(): number {
    return this.#count;
  }

  get complete(): boolean {
    return this.#count === this.length;
  }

  has(index: number): boolean {
    return (
      index >= 0 && index < this.length && ((this.#bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
    );
  }

  /** Returns whether the bit was clear. */
  add(index: number): boolean {
    if (index < 0 || index >= this.length || this.has(index)) return false;
    this.#bytes[index >> 3] = (this.#bytes[index >> 3] ?? 0) | (0x80 >> (index & 7));
    this.#count += 1;
    return true;
  }

  /** Returns whether the bit was set. */
  delete(index: number): boolean {
    if (!this.has(index)) return false;
    this.#bytes[index >> 3] = (this.#bytes[index >> 3] ?? 0) & ~(0x80 >> (index & 7));
    this.#count -= 1;
    return true;
  }

  /** Whether every bit of [first, first + count) is set. */
  hasRun(first: number, count: number): boolean {
    for (let index = first; index < first + count; index += 1) if (!this.has(index)) return false;
    return true;
  }

  /** Index of the first clear bit at or after `from`; `length` where there is none. */
  nextClear(from = 0): number {
    let index = from;
    while (index < this.length) {
      if ((index & 7) === 0 && this.#bytes[index >> 3] === 0xff) index += 8;
      else if (this.has(index)) index += 1;
      else return index;
    }
    return this.length;
  }

  *ones(): Generator<number> {
    for (let byte = 0; byte < this.#bytes.length; byte += 1) {
      const value = this.#bytes[byte] ?? 0;
      if (value === 0) continue;
      for (let bit = 0; bit < 8; bit += 1) if ((value & (0x80 >> bit)) !== 0) yield byte * 8 + bit;
    }
  }

  *zeros(): Generator<number> {
    for (let index = this.nextClear(); index < this.length; index = this.nextClear(index + 1)) yield index;
  }

  clone(): Bitfield {
    return new Bitfield(this.length, this.#bytes);
  }

  /** A copy of the bytes, ⌈length / 8⌉ of them. */
  toBytes(): Uint8Array {
    return this.#bytes.slice();
  }
}
