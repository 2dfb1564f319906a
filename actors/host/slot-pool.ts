/** Every so many slots one goes to whoever waits longest, so that no task stands still behind earlier ones. */
const FAIR_EVERY = 4;

/**
 * The download slots of a host, shared by its tasks. A free one is offered first to the task that asked first for any,
 * as the layers of an image are wanted in the order in which they were asked for.
 */
export class SlotPool {
  readonly total: number;
  #used = 0;
  #offered = 0;
  #lines = 0;
  /** When each task asked for its first slot; a task asks with one function. */
  readonly #order = new WeakMap<() => void, number>();
  /** Who waits longest first. */
  readonly #waiting = new Set<() => void>();

  constructor(total: number) {
    this.total = total;
  }

  get used(): number {
    return this.#used;
  }

  get free(): number {
    return this.total - this.#used;
  }

  /** Takes a slot; where none is free, `onFree` is called once when there is one. */
  take(onFree: () => void): boolean {
    if (!this.#order.has(onFree)) {
      this.#order.set(onFree, this.#lines);
      this.#lines += 1;
    }
    if (this.#used < this.total) {
      this.#used += 1;
      return true;
    }
    this.#waiting.add(onFree);
    return false;
  }

  /** Gives a slot back; who is told and does not take it leaves it to the next in line. */
  release(): void {
    this.#used -= 1;
    while (this.#used < this.total) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#offered += 1;
      next();
    }
  }

  forget(onFree: () => void): void {
    this.#waiting.delete(onFree);
  }

  #next(): (() => void) | undefined {
    const [longest] = this.#waiting;
    if (this.#offered % FAIR_EVERY === FAIR_EVERY - 1) return longest;
    let first = longest;
    for (const waiting of this.#waiting) {
      if (first === undefined || this.#orderOf(waiting) < this.#orderOf(first)) first = waiting;
    }
    return first;
  }

  #orderOf(onFree: () => void): number {
    return this.#order.get(onFree) ?? 0;
  }
}
