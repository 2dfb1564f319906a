import { expect, test } from 'vitest';
import { ProcessClock, SimClock } from '../../sim/clock.ts';

const MINUTE_MS = 60_000;

test('what comes to a frozen process waits, and is taken in order when it goes on', async () => {
  const clock = new SimClock();
  const frozen = new ProcessClock(clock);
  const heard: string[] = [];
  frozen.after(10, () => heard.push(`timer at ${clock.now()}`));
  const cancel = frozen.after(20, () => heard.push('cancelled'));
  frozen.freeze();
  clock.after(5, () => frozen.take(() => heard.push(`message at ${clock.now()}`)));
  await clock.run(100);
  expect(heard).toEqual([]);
  cancel();
  frozen.thaw();
  await clock.run(200);
  expect(heard).toEqual(['message at 100', 'timer at 100']);
});

test('nothing comes to a process that was killed, frozen or not', async () => {
  const clock = new SimClock();
  const killed = new ProcessClock(clock);
  const heard: string[] = [];
  killed.freeze();
  killed.take(() => heard.push('before'));
  killed.kill();
  killed.thaw();
  killed.take(() => heard.push('after'));
  killed.after(1, () => heard.push('timer'));
  await clock.run(100);
  expect(heard).toEqual([]);
});

test('a clock that is wrong tells another hour, and counts the same seconds', async () => {
  const clock = new SimClock();
  const wrong = new ProcessClock(clock, 5 * MINUTE_MS);
  await clock.run(1_000);
  expect(wrong.wall() - clock.wall()).toBe(5 * MINUTE_MS);
  expect(wrong.now()).toBe(clock.now());
});
