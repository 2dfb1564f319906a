import type { Random } from './clock.ts';

/** After how many tries the wait is not doubled any more, whatever its bound. */
const MOST_DOUBLINGS = 16;

/**
 * How long to wait after so many tries in vain, ms: twice as long each time up to `mostMs`, times something between a half and
 * one and a half, so that those who failed together do not try again together.
 */
export function backoffMs(random: Random, tries: number, firstMs: number, mostMs: number): number {
  const ms = firstMs * 2 ** Math.min(Math.max(0, tries - 1), MOST_DOUBLINGS);
  return Math.min(mostMs, ms) * (0.5 + random.next());
}
