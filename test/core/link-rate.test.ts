import { beforeEach, expect, test } from 'vitest';
import { LinkRate } from '../../core/link-rate.ts';

let came = 0;
beforeEach(() => {
  came = 0;
});

/** Receives at a rate for so long, looked at every 10 ms; returns when that is over. */
function receive(link: LinkRate, fromMs: number, forMs: number, bytesPerMs: number): number {
  for (let ms = fromMs; ms < fromMs + forMs; ms += 10) {
    came += bytesPerMs * 10;
    link.look(ms + 10, came);
  }
  return fromMs + forMs;
}

test('a link is as fast as the fastest half second that was seen', () => {
  const link = new LinkRate();
  expect(link.bytesPerSec).toBe(0);
  let nowMs = receive(link, 0, 2_000, 10);
  nowMs = receive(link, nowMs, 2_000, 40);
  nowMs = receive(link, nowMs, 2_000, 5);
  expect(link.bytesPerSec).toBeGreaterThan(39_000);
  expect(link.bytesPerSec).toBeLessThanOrEqual(40_000);
});

test('what comes all at once after a rest is not taken for the rate of a moment', () => {
  const link = new LinkRate();
  link.look(0, 0);
  link.look(100, 1_000_000);
  expect(link.bytesPerSec).toBe(0);
  link.look(1_000, 1_000_000);
  expect(link.bytesPerSec).toBe(1_000_000);
});

test('what was seen long ago is forgotten', () => {
  const link = new LinkRate();
  receive(link, 0, 1_000, 100);
  receive(link, 700_000, 1_000, 10);
  expect(link.bytesPerSec).toBeGreaterThan(90_000);
  receive(link, 1_400_000, 1_000, 10);
  expect(link.bytesPerSec).toBeLessThan(11_000);
});
