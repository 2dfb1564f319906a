import { expect, test } from 'vitest';
import { Attention } from '../../../actors/scheduler/attention.ts';
import type { BusState } from '../../../transport/bus.ts';

function scene() {
  const at = { nowMs: 0, ageMs: 0 };
  const bus = { state: 'connected' as BusState };
  const clock = { now: () => at.nowMs, wall: () => at.nowMs, after: () => () => {} };
  const backlog = {
    get ageMs() {
      return at.ageMs;
    },
  };
  const attention = new Attention({ clock, bus }, backlog, 500);
  const look = (ms: number) => {
    at.nowMs += ms;
    return attention.missedMs();
  };
  return { at, bus, look };
}

test('a scheduler that is in time misses nothing', () => {
  const { look } = scene();
  expect([look(500), look(500), look(900)]).toEqual([0, 0, 0]);
});

test('one that is late missed the time beyond', () => {
  const { look } = scene();
  expect([look(10_500), look(500)]).toEqual([10_000, 0]);
});

test('one that has words unread, or no NATS, missed all of it', () => {
  const { at, bus, look } = scene();
  at.ageMs = 700;
  expect(look(500)).toBe(500);
  at.ageMs = 20;
  bus.state = 'disconnected';
  expect(look(500)).toBe(500);
  bus.state = 'connected';
  expect(look(500)).toBe(0);
});
