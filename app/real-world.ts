import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '../core/clock.ts';

/** The clock of this machine. */
export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** The randomness of this machine. */
export const realRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomBytes(count),
};
