import type { Clock } from '../core/clock.ts';

/** A bandwidth limit shared by many transfers, first come first served. */
export interface Limiter {
  readonly bytesPerSec: number;
  /** Most bytes a transfer should take at once, so that all of them keep moving. */
  readonly quantumBytes: number;
  /** Takes bytes: undefined where they may pass now, else a promise of when they may. */
  take(bytes: number): Promise<void> | undefined;
}

const MIN_QUANTUM_BYTES = 4 * 1024;
const MAX_QUANTUM_BYTES = 1024 * 1024;

/**
 * A token bucket of `bytesPerSec` that holds a quarter of a second. A take larger than what is there passes once
 * the bucket is above zero and leaves it in debt, so that the rate holds for takes of any size.
 */
export function createLimiter(bytesPerSec: number, clock: Pick<Clock, 'now' | 'after'>): Limiter {
  const capacity = bytesPerSec / 4;
  const queue: { readonly bytes: number; readonly pass: () => void }[] = [];
  let level = capacity;
  let filledAt = clock.now();
  let timed = false;

  function refill(): void {
    const now = clock.now();
    level = Math.min(capacity, level + ((now - filledAt) / 1000) * bytesPerSec);
    filledAt = now;
  }

  function schedule(): void {
    if (timed || queue.length === 0) return;
    timed = true;
    clock.after(Math.max(1, Math.ceil((-level / bytesPerSec) * 1000)), () => {
      timed = false;
      refill();
      while (level > 0) {
        const next = queue.shift();
        if (next === undefined) return;
        level -= next.bytes;
        next.pass();
      }
      schedule();
    });
  }

  return {
    bytesPerSec,
    quantumBytes: Math.min(MAX_QUANTUM_BYTES, Math.max(MIN_QUANTUM_BYTES, Math.floor(bytesPerSec / 64))),
    take(bytes) {
      refill();
      if (queue.length === 0 && level > 0) {
        level -= bytes;
        return undefined;
      }
      return new Promise((pass) => {
        queue.push({ bytes, pass });
        schedule();
      });
    },
  };
}
