import { onAbort } from './on-abort.ts';

/** Cancels a timer; calling it after the timer fired does nothing. */
export type Cancel = () => void;

/** Time, handed in so that a simulation can hand in its own. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now(): number;
  /** Wall-clock milliseconds since 1970; only for what people or other machines read. */
  wall(): number;
  after(delayMs: number, run: () => void): Cancel;
}

/** Randomness, handed in so that one seed replays one history. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `count` random bytes. */
  bytes(count: number): Uint8Array;
}

/** A whole number in [0, below). */
export function randomInt(random: Random, below: number): number {
  return Math.floor(random.next() * below);
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const cancel = clock.after(delayMs, () => {
      unlisten();
      resolve();
    });
    const unlisten = onAbort(signal, () => {
      cancel();
      reject(signal?.reason as Error);
    });
  });
}
