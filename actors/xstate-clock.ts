import type { Cancel, Clock } from '../core/clock.ts';

/** The handed-in clock in the form that XState takes, for the `after` of a chart. */
export function xstateClock(clock: Clock) {
  return {
    setTimeout: (run: () => void, delayMs: number): Cancel => clock.after(delayMs, run),
    clearTimeout: (cancel: Cancel): void => cancel(),
  };
}
