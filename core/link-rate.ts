/** A rate is measured over at least this long. */
const WINDOW_MS = 500;
/** What was seen longer ago than one to two times this is forgotten: links change. */
const KEPT_MS = 600_000;

/** The most that a host was seen to receive, of all its downloads together: what its links allow, as far as is known. */
export class LinkRate {
  #fromBytes = 0;
  #fromMs = Number.NEGATIVE_INFINITY;
  #best = 0;
  #before = 0;
  #bestFromMs = 0;

  /**
   * Ends a window that is long enough; called now and then while something comes.
   * @param bytes that came so far, of all downloads
   */
  look(nowMs: number, bytes: number): void {
    const elapsedMs = nowMs - this.#fromMs;
    if (elapsedMs < WINDOW_MS) return;
    if (nowMs - this.#bestFromMs >= KEPT_MS) {
      this.#before = nowMs - this.#bestFromMs >= 2 * KEPT_MS ? 0 : this.#best;
      this.#best = 0;
      this.#bestFromMs = nowMs;
    }
    this.#best = Math.max(this.#best, ((bytes - this.#fromBytes) * 1000) / elapsedMs);
    this.#fromBytes = bytes;
    this.#fromMs = nowMs;
  }

  /** 0 while nothing was measured. */
  get bytesPerSec(): number {
    return Math.max(this.#best, this.#before);
  }
}
