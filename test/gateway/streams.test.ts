import { expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { EventFeed } from '../../gateway/event-feed.ts';
import { GATEWAY_LIMITS } from '../../gateway/limits.ts';
import { OpenStreams } from '../../gateway/open-streams.ts';
import { SchedulerPresence } from '../../gateway/scheduler-presence.ts';
import { serverSent } from '../../gateway/server-sent.ts';
import { SimClock } from '../../sim/clock.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { seeded } from '../scheduling/world.ts';
import { SCHEDULER } from './scene.ts';

const event = (id: number) => ({ type: 'peer.fed', subject: `peer.fed.host.${id}`, body: { id } });

test('a client that reads slowly is told how many events it missed, and costs no more memory', async () => {
  const clock = new SimClock();
  const hub = createMemoryHub({ clock, random: seeded(1) });
  const [bus, host] = [hub.bus('gateway'), hub.bus('host')];
  const stop = new AbortController();
  const following = new EventFeed(bus).follow(() => true, stop.signal);
  const first = following.next();
  for (let id = 0; id < GATEWAY_LIMITS.eventsWaiting + 50; id += 1) host.emit(event(id));
  await clock.run(1);
  expect((await first).value).toMatchObject({ event: 'event', data: { id: 0 } });
  for (let id = 1; id <= GATEWAY_LIMITS.eventsWaiting; id += 1) {
    expect((await following.next()).value).toMatchObject({ data: { id } });
  }
  expect((await following.next()).value).toEqual({ event: 'dropped', data: { dropped: 49 } });
  stop.abort();
  expect((await following.next()).done).toBe(true);
});

test('a stream on which nothing happens says so now and then', async () => {
  const clock = new SimClock();
  const never: AsyncIterable<never> = {
    [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
  };
  const text = serverSent(never, { clock, beatMs: 1_000 });
  expect((await text.next()).value).toBe(': shoal\n\n');
  const next = text.next();
  await clock.run(1_000);
  expect((await next).value).toBe(': nothing happens\n\n');
});

test('a stream ends once its client may no longer have it, and there are only so many', async () => {
  const clock = new SimClock();
  const streams = new OpenStreams(clock);
  let may = true;
  const mayStill = async () => {
    if (!may) throw new ShoalError('ERR_API_LOGIN', 'revoked');
  };
  const controllers = Array.from({ length: GATEWAY_LIMITS.streams }, () => new AbortController());
  for (const controller of controllers) streams.begin(controller, mayStill);
  expect(() => streams.begin(new AbortController(), mayStill)).toThrow(
    expect.objectContaining({ code: 'ERR_API_BUSY' }),
  );
  await clock.run(10 * GATEWAY_LIMITS.beatMs);
  expect(controllers.filter(({ signal }) => signal.aborted)).toEqual([]);
  may = false;
  await clock.run(12 * GATEWAY_LIMITS.beatMs);
  expect(controllers.filter(({ signal }) => !signal.aborted)).toEqual([]);
  may = true;
  const another = new AbortController();
  streams.begin(another, mayStill);
  streams.close();
  expect(another.signal.aborted).toBe(true);
});

test('how many schedulers there are is known once each must have been heard, and forgotten of one that is gone', async () => {
  const clock = new SimClock();
  const hub = createMemoryHub({ clock, random: seeded(1) });
  const [bus, scheduler] = [hub.bus('gateway'), hub.bus('scheduler')];
  const presence = new SchedulerPresence(bus, clock);
  const { schedulerId, ...alive } = SCHEDULER;
  const say = (id: string) => scheduler.publish(SUBJECTS.schedulerAlive, { schedulerId: id }, alive);
  say('b'.repeat(16));
  say(schedulerId);
  await clock.run(LIMITS.schedulerGoneMs - 1);
  expect([presence.count, presence.rows().length]).toEqual([undefined, 2]);
  say(schedulerId);
  await clock.run(LIMITS.schedulerGoneMs + 1);
  expect([presence.count, presence.rows()]).toEqual([1, [SCHEDULER]]);
  bus.setConnected(false);
  bus.setConnected(true);
  expect(presence.count).toBeUndefined();
  presence.close();
  await clock.run(3 * LIMITS.schedulerGoneMs);
  say(schedulerId);
  await clock.run(4 * LIMITS.schedulerGoneMs);
  expect(presence.count).toBeUndefined();
});
