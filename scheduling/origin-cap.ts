import { LIMITS } from '../core/limits.ts';

const WINDOW_MS = 2_000;
const GAIN = 1.05;
const STEP = 2;
const MOST = 32;
const REST_WINDOWS = 15;

/**
 * How many hosts may read an origin at once: LIMITS.originLeasesPerTask to begin with, two more while that brings
 * at least 5 % more bytes a second, two fewer and a rest where it does not.
 */
export class OriginCap {
  #readers: number;
  readonly #fixed: boolean;
  #windowStartMs: number | undefined;
  #windowPieces = 0;
  #windowFull = true;
  #rate: number | undefined;
  #rest = 0;

  /** @param fixed a number that holds for good, instead of the rule. */
  constructor(fixed?: number) {
    this.#readers = fixed ?? LIMITS.originLeasesPerTask;
    this.#fixed = fixed !== undefined;
  }

  get readers(): number {
    return this.#readers;
  }

  /** Counts pieces that came from the origin; `full`: whether more hosts would have read it. */
  landed(pieces: number, full: boolean, nowMs: number): void {
    if (this.#fixed) return;
    this.#windowStartMs ??= nowMs;
    this.#windowPieces += pieces;
    this.#windowFull &&= full;
    const lastedMs = nowMs - this.#windowStartMs;
    if (lastedMs < WINDOW_MS || this.#windowPieces < 2 * this.#readers) return;
    if (this.#windowFull) this.#judge(this.#windowPieces / lastedMs);
    else this.#rate = undefined;
    this.#windowStartMs = nowMs;
    this.#windowPieces = 0;
    this.#windowFull = true;
  }

  #judge(rate: number): void {
    if (this.#rest > 0) {
      this.#rest -= 1;
      return;
    }
    if (this.#rate === undefined || rate >= this.#rate * GAIN) {
      this.#rate = rate;
      this.#readers = Math.min(MOST, this.#readers + STEP);
      return;
    }
    this.#readers = Math.max(LIMITS.originLeasesPerTask, this.#readers - STEP);
    this.#rate = undefined;
    this.#rest = REST_WINDOWS;
  }
}
