const WINDOW_MS = 5_000;

/** The rate of the last few seconds, bytes a second, and the time left at that rate. */
export class RateMeter {
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  add(atMs: number, bytes: number): void {
    this.#samples.push({ atMs, bytes });
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) <= atMs - WINDOW_MS)
      this.#samples.shift();
  }

  get bytesPerSec(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000;
  }

  /** Undefined while nothing moves. */
  leftMs(leftBytes: number): number | undefined {
    const rate = this.bytesPerSec;
    return rate > 0 ? (leftBytes / rate) * 1000 : undefined;
  }
}
