import { expect, test } from 'vitest';
import { endOrder, followOrder, type HostOrder } from '../../../../actors/scheduler/job/follow-order.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { type FetchReply, ORDER_PAGE_BYTES, pageOf } from '../../../../core/fetch-messages.ts';
import { LIMITS } from '../../../../core/limits.ts';
import { NOTHING_SPENT, timeSpent } from '../../../../core/time-spent.ts';
import { encode } from '../../../../transport/codec.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { codeOf } from '../../../transport/bus-contract.ts';
import { seededRandom } from '../../../transport/real-clock.ts';
import { HOST, JOB, openOrders, orderOf, settle, urls } from '../../client/orders.ts';

const NEVER = new AbortController().signal;
const orderFor = (items: ReturnType<typeof urls>, terms: HostOrder['terms'] = {}): HostOrder => ({
  jobId: JOB,
  hostId: HOST,
  items,
  terms,
  everyMs: 300,
});

/** Follows an order in virtual time, to its end. */
async function follow(
  world: ReturnType<typeof openOrders>,
  order: ReturnType<typeof orderFor>,
  onReply: (reply: FetchReply) => void = () => {},
  signal = NEVER,
) {
  let ended = false;
  const following = followOrder({ bus: world.asker, clock: world.clock }, order, onReply, signal).finally(
    () => {
      ended = true;
    },
  );
  following.catch(() => undefined);
  await world.clock.run(world.clock.now() + 3_600_000, () => ended);
  return following;
}

test('an order says what else is wanted of it', async () => {
  const world = openOrders();
  const outcome = await follow(world, orderFor(urls(2), { verb: 'evict' }));
  expect(outcome).toMatchObject({ state: 'done', items: 2, done: 2, length: 6 });
  expect(world.downloads).toEqual([]);
  expect(world.content.evict.mock.calls.map(([item]) => item)).toEqual(urls(2));
});

test('an order is followed to its end, and every failure told with its resource', async () => {
  const world = openOrders();
  const items = urls(300);
  const told: number[] = [];
  const failing = new Set([2, 255]);
  world.get.mockImplementation(async ({ resource }) => {
    if (failing.has(Number(resource.split('/').at(-1))))
      throw new ShoalError('ERR_SOURCE_REFUSED', 'refused');
    return { ...RESULT, length: 5 };
  });
  const outcome = await follow(world, orderFor(items), ({ done }) => told.push(done));
  expect(outcome).toMatchObject({ state: 'failed', items: 300, done: 298, failed: 2 });
  expect(outcome.errors).toEqual([
    { resource: items[2]?.resource, code: 'ERR_SOURCE_REFUSED', message: 'refused' },
    { resource: items[255]?.resource, code: 'ERR_SOURCE_REFUSED', message: 'refused' },
  ]);
  expect(told.length).toBeGreaterThan(0);
});

const RESULT = {
  taskId: `sha256-${'0'.repeat(64)}` as never,
  length: 5,
  bytes: { origin: 5, peers: 0, local: 0 },
  originReasons: {},
  time: timeSpent(NOTHING_SPENT, 0),
  parents: 1,
  durationMs: 1,
  longestGapMs: 0,
};

test.each([1, 2, 3])('messages lost, doubled and late do no harm (seed %d)', async (seed) => {
  const random = seededRandom(seed);
  const fault = () => {
    const roll = random.next();
    if (roll < 0.3) return { drop: true };
    return roll < 0.6 ? { duplicates: 1, delayMs: roll * 4_000 } : {};
  };
  const world = openOrders({ fault, auto: true });
  const long = urls(60).map(({ resource }) => ({ resource: `${resource}?${'x'.repeat(8_000)}` }));
  expect(await follow(world, orderFor(long))).toMatchObject({ state: 'done', done: 60, failed: 0 });
  expect(world.downloads.map(({ resource }) => resource)).toEqual(long.map(({ resource }) => resource));
  expect(world.events).toHaveLength(1);
});

test('a daemon that is born again is told again', async () => {
  const world = openOrders();
  let ended = false;
  const order = orderFor(urls(2));
  const following = followOrder({ bus: world.asker, clock: world.clock }, order, () => {}, NEVER).then(
    (end) => {
      ended = true;
      return end;
    },
  );
  await world.clock.run(1_000);
  world.orders.stop();
  await settle(world.clock);
  await world.clock.run(5_000);
  world.born();
  await world.clock.run(10_000, () => world.downloads.length === 4);
  for (const { end } of world.downloads) end();
  await world.clock.run(20_000, () => ended);
  expect(await following).toMatchObject({ state: 'done', done: 2 });
});

test('a host that is gone is given up after half a minute', async () => {
  const world = openOrders();
  world.orders.stop();
  const outcome = await follow(world, orderFor(urls(1)));
  expect(outcome).toMatchObject({ state: 'failed', error: { code: 'ERR_BUS_TIMEOUT' } });
  expect(outcome.durationMs).toBeGreaterThanOrEqual(30_000);
});

test('a host that says it knows nothing, whatever it is sent, is given up', async () => {
  const world = openOrders();
  world.orders.stop();
  const none = { known: 0, done: 0, failed: 0, length: 0, doneBytes: 0, states: [] };
  const reply = { ...none, bytes: { origin: 0, peers: 0, local: 0 } };
  world.hub.bus('hostile').serve(SUBJECTS.fetch, { hostId: HOST }, () => reply);
  expect(await follow(world, orderFor(urls(1)))).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_BUS_MESSAGE_INVALID' },
  });
});

test('a host that refuses an order is not asked again', async () => {
  const world = openOrders();
  world.orders.take(orderOf(urls(2)));
  expect(await follow(world, orderFor(urls(3)))).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_BUS_MESSAGE_INVALID', message: 'another order has this id' },
  });
});

test('an order that is over is followed no more, and nothing of it goes on', async () => {
  const world = openOrders();
  const stopping = new AbortController();
  const ended: Promise<unknown>[] = [];
  world.clock.after(4_000, () => {
    stopping.abort(new ShoalError('ERR_CANCELLED', 'cancelled'));
    ended.push(endOrder(world.asker, { jobId: JOB, hostId: HOST, over: true }));
  });
  expect(await codeOf(follow(world, orderFor(urls(9)), () => {}, stopping.signal))).toBe('ERR_CANCELLED');
  await world.clock.run(10_000);
  await Promise.all(ended);
  expect(world.downloads).toHaveLength(4);
  for (const { signal } of world.downloads) expect(signal.aborted).toBe(true);
  expect(world.events).toEqual([]);
  // A message that comes late begins nothing.
  expect(await follow(world, orderFor(urls(9)))).toMatchObject({ error: { code: 'ERR_JOB_CANCELLED' } });
  expect(world.downloads).toHaveLength(4);
});

test('no page is more than a message', () => {
  const items = Array.from({ length: 4_096 }, (_, index) => ({
    resource: `http://origin.example/${index}?${'x'.repeat((index * 37) % 8_000)}`,
    digest: `sha256:${'0'.repeat(64)}`,
  }));
  for (let from = 0; from < items.length; ) {
    const page = pageOf(items, from);
    expect(page.length).toBeGreaterThan(0);
    const bytes = encode(orderOf(page, { total: 4_096, from })).length;
    expect(bytes).toBeLessThan(LIMITS.messageBytes);
    expect(bytes).toBeLessThan(ORDER_PAGE_BYTES + 1_024);
    from += page.length;
  }
});
