/** What the process used since its start, ms: how long its thread was busy, and how much of that on a processor or in line for one. */
export interface OwnUse {
  readonly busyMs: number;
  readonly cpuMs: number;
}

/** How much of a window makes the process what everything waits for. */
const BUSY_SHARE = 0.9;
const WINDOW_MS = 200;

/** Whether a host's own process is what holds its downloads up, looked at now and then. */
export class OwnLoad {
  readonly #read: (() => OwnUse) | undefined;
  #last: OwnUse = { busyMs: 0, cpuMs: 0 };
  #lastMs = Number.NEGATIVE_INFINITY;
  #heldBy: 'cpu' | 'disk' | undefined;

  /** @param read absent where it is not known */
  constructor(read?: () => OwnUse) {
    this.#read = read;
  }

  /** What held everything up in the last window: the processor, or the wait for the disk. */
  heldBy(nowMs: number): 'cpu' | 'disk' | undefined {
    const elapsedMs = nowMs - this.#lastMs;
    if (this.#read === undefined || elapsedMs < WINDOW_MS) return this.#heldBy;
    const now = this.#read();
    const busyMs = now.busyMs - this.#last.busyMs;
    const cpuMs = now.cpuMs - this.#last.cpuMs;
    const isBusy = busyMs >= BUSY_SHARE * elapsedMs;
    this.#heldBy = isBusy ? (cpuMs >= busyMs / 2 ? 'cpu' : 'disk') : undefined;
    this.#last = now;
    this.#lastMs = nowMs;
    return this.#heldBy;
  }
}
