import { expect, test } from 'vitest';
import { Membership } from '../../../actors/host/membership.ts';
import type { Peers } from '../../../actors/host/peers.ts';
import { troublesOf } from '../../../actors/host/troubles.ts';

const WALL_MS = 1_000_000_000_000;
const clock = { now: () => 0, wall: () => WALL_MS };
const peers = (adrift: number, starved: number) => ({ astray: { adrift, starved } }) as Peers;

test('a host of which all is well says nothing', () => {
  const membership = new Membership(clock);
  membership.acceptEpoch(0, 1);
  membership.compareClock(WALL_MS - 29_000);
  expect(troublesOf(membership, peers(0, 0))).toEqual({});
});

test('the epoch that is refused is named, and by what', () => {
  const membership = new Membership(clock);
  membership.acceptEpoch(0, WALL_MS);
  membership.acceptEpoch(0, WALL_MS - 5);
  const { scheduler } = troublesOf(membership, peers(0, 0));
  expect(scheduler).toContain(String(WALL_MS));
  expect(scheduler).toContain(String(WALL_MS - 5));
  membership.acceptEpoch(1, 2 ** 53 - 1);
  expect(troublesOf(membership, peers(0, 0)).scheduler).toContain("ahead of this host's clock");
});

test.each([
  [300_000, '5 min ahead of'],
  [-300_000, '5 min behind'],
])('a clock that is off by %i ms is said to be, once', (aheadMs, text) => {
  const membership = new Membership(clock);
  expect(membership.compareClock(WALL_MS - aheadMs)).toBe(true);
  expect(membership.compareClock(WALL_MS - aheadMs)).toBe(false);
  expect(membership.clockAheadMs).toBe(aheadMs);
  expect(troublesOf(membership, peers(0, 0)).clock).toContain(text);
  membership.compareClock(WALL_MS);
  expect(troublesOf(membership, peers(0, 0))).toEqual({});
});

test('downloads that go on without a scheduler, or past what it says, are counted', () => {
  const { downloads } = troublesOf(new Membership(clock), peers(2, 1));
  expect(downloads).toContain('2 go on without a scheduler');
  expect(downloads).toContain('1 get nothing');
});
