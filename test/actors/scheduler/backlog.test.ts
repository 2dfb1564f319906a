import { expect, test } from 'vitest';
import { Backlog } from '../../../actors/scheduler/backlog.ts';
import type { BusState } from '../../../transport/bus.ts';

/** A line whose echoes come when the test says. */
function scene() {
  let nowMs = 1_000;
  const open: { back: () => void; fail: (error: Error) => void }[] = [];
  const bus = {
    state: 'connected' as BusState,
    echo: () => new Promise<void>((back, fail) => void open.push({ back, fail })),
  };
  const clock = { now: () => nowMs, wall: () => nowMs, after: () => () => {} };
  const backlog = new Backlog({ clock, bus });
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { backlog, bus, open, pass, settled };
}

test('what is read has waited at least as long as the oldest echo that is not back', async () => {
  const { backlog, open, pass, settled } = scene();
  expect(backlog.ageMs).toBe(0);
  backlog.ask();
  open[0]?.back();
  await settled();
  backlog.ask();
  pass(100);
  backlog.ask();
  pass(300);
  expect(backlog.ageMs).toBe(400);
  open[1]?.back();
  await settled();
  expect([backlog.ageMs, Math.round(backlog.aboutMs)]).toEqual([300 - 0.1, 400]);
  open[2]?.back();
  await settled();
  expect([backlog.ageMs, Math.round(backlog.aboutMs)]).toEqual([0, 300]);
});

test('the way to NATS and back is no wait, however long it is', async () => {
  const { backlog, open, pass, settled } = scene();
  for (let echo = 0; echo < 10; echo += 1) {
    backlog.ask();
    pass(400);
    expect(backlog.ageMs).toBeLessThanOrEqual(echo === 0 ? 400 : 1);
    open[echo]?.back();
    await settled();
    expect(backlog.aboutMs).toBeLessThan(1);
  }
  backlog.ask();
  pass(700);
  expect(backlog.ageMs).toBeGreaterThan(290);
});

test('so many are asked for and no more, and none without NATS', () => {
  const { backlog, bus, open } = scene();
  for (let asked = 0; asked < 100; asked += 1) backlog.ask();
  expect(open).toHaveLength(32);
  const other = scene();
  other.bus.state = 'disconnected';
  other.backlog.ask();
  expect(other.open).toHaveLength(0);
  expect(bus.state).toBe('connected');
});

test('an echo that NATS took along says nothing', async () => {
  const { backlog, open, pass, settled } = scene();
  backlog.ask();
  pass(5_000);
  open[0]?.fail(new Error('gone'));
  await settled();
  expect([backlog.ageMs, backlog.aboutMs]).toEqual([0, 0]);
});
