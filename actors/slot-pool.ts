/** The download slots of a host, shared by its tasks: whoever waits longest is told first that one is free. */
export class SlotPool {
  readonly total: number;
  #used = 0;
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
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    }
  }

  forget(onFree: () => void): void {
    this.#waiting.delete(onFree);
  }
}
