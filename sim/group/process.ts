import type { Cancel, Clock } from '../../core/clock.ts';

/** The clock of a process that can stand still, whose wall clock can be set, and that dies. */
export class ModelProcess implements Clock {
  isCut = false;
  /** How far its wall clock is ahead, ms. */
  skewMs = 0;
  readonly #clock: Clock;
  #isDead = false;
  #isFrozen = false;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  now(): number {
    return this.#clock.now();
  }

  wall(): number {
    return Math.max(0, this.#clock.wall() + this.skewMs);
  }

  after(delayMs: number, run: () => void): Cancel {
    let cancelled = false;
    const cancel = this.#clock.after(delayMs, () =>
      this.run(() => {
        if (!cancelled) run();
      }),
    );
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Runs it now, when the process goes on, or never. */
  run(work: () => void): void {
    if (this.#isDead) return;
    if (this.#isFrozen) this.#waiting.push(work);
    else work();
  }

  freeze(forMs: number): void {
    if (this.#isFrozen || this.#isDead) return;
    this.#isFrozen = true;
    this.#clock.after(forMs, () => {
      this.#isFrozen = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const work of waiting) this.run(work);
    });
  }

  kill(): void {
    this.#isDead = true;
    this.#waiting = [];
  }
}
