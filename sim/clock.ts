import { setImmediate as turn } from 'node:timers/promises';
import type { Cancel, Clock } from '../core/clock.ts';
import type { ProcessTime } from '../transport/memory-hub.ts';
import { type Timer, TimerHeap } from './timer-heap.ts';

/** Wall-clock time at which every simulation begins, ms since 1970. */
const WALL_MS = Date.UTC(2026, 0, 1);

/** Virtual time: it moves from timer to timer, and stands still while anything that a timer set off goes on. */
export class SimClock implements Clock {
  readonly #timers = new TimerHeap();
  readonly #turnEvery: number;
  #nowMs = 0;
  #order = 0;

  /** @param turnEvery so many timers run before promises go on; more than 1 only where timers wait for no promise */
  constructor(turnEvery = 1) {
    this.#turnEvery = turnEvery;
  }

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return WALL_MS + Math.floor(this.#nowMs);
  }

  after(delayMs: number, run: () => void): Cancel {
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, run };
    this.#order += 1;
    this.#timers.push(timer);
    return () => {
      timer.run = undefined;
    };
  }

  /** Runs until `done` holds or `untilMs` has come; returns whether it held. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    await turn();
    let left = this.#turnEvery;
    while (!done()) {
      const next = this.#timers.first;
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return done();
      }
      this.#timers.pop();
      const { run } = next;
      if (run === undefined) continue;
      next.run = undefined;
      this.#nowMs = next.atMs;
      run();
      left -= 1;
      if (left > 0) continue;
      left = this.#turnEvery;
      // A turn of the loop begins when no promise is left to go on. Nothing here waits for real I/O, so nothing else runs.
      await turn();
    }
    return true;
  }
}

/**
 * The clock of one simulated process, wrong by `skewMs`. When the process is killed, none of its timers fires any more; while
 * it is frozen, as by SIGSTOP, whatever comes to it waits.
 */
export class ProcessClock implements ProcessTime {
  readonly #clock: Clock;
  readonly #skewMs: number;
  #dead = false;
  #waiting: (() => void)[] | undefined;

  constructor(clock: Clock, skewMs = 0) {
    this.#clock = clock;
    this.#skewMs = skewMs;
  }

  now(): number {
    return this.#clock.now();
  }

  wall(): number {
    return this.#clock.wall() + this.#skewMs;
  }

  after(delayMs: number, run: () => void): Cancel {
    let open = true;
    const fire = () => {
      if (open) run();
    };
    const cancel = this.#clock.after(delayMs, () => this.take(fire));
    return () => {
      open = false;
      cancel();
    };
  }

  take(run: () => void): void {
    if (this.#dead) return;
    if (this.#waiting === undefined) run();
    else this.#waiting.push(run);
  }

  freeze(): void {
    this.#waiting ??= [];
  }

  thaw(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const run of waiting) this.after(0, run);
  }

  get alive(): boolean {
    return !this.#dead;
  }

  kill(): void {
    this.#dead = true;
  }
}
