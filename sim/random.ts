import type { Random } from '../core/clock.ts';
import { hash32 } from '../core/rendezvous.ts';

/** Randomness from a seed; a fork by name is independent of how much was drawn before. @see sfc32, Chris Doty-Humphrey, PractRand */
export class SimRandom implements Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string | number) {
    this.#seed = String(seed);
    this.#a = hash32(`a/${this.#seed}`);
    this.#b = hash32(`b/${this.#seed}`);
    this.#c = hash32(`c/${this.#seed}`);
    for (let warmUp = 0; warmUp < 12; warmUp += 1) this.#draw();
  }

  /** A generator of its own for one part of the world. */
  fork(name: string): SimRandom {
    return new SimRandom(`${this.#seed}/${name}`);
  }

  next(): number {
    return this.#draw() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 4) {
      const word = this.#draw();
      for (let byte = 0; byte < 4 && at + byte < count; byte += 1) bytes[at + byte] = word >>> (8 * byte);
    }
    return bytes;
  }

  /** True in `share` of the cases. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  #draw(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
