import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import { EVENTS } from '../../../core/events.ts';
import { ORDER_ITEMS } from '../../../core/fetch-messages.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { codeOf } from '../../transport/bus-contract.ts';
import { HOST, JOB, openOrders, orderOf, settle, urls } from './orders.ts';

const MINUTE_MS = 60_000;
const named = (job: string) => job.repeat(32).slice(0, 32);

test('an order is fetched four at once, in its order, without headers of anybody', async () => {
  const { clock, orders, downloads, get } = openOrders();
  const items = urls(6);
  expect(orders.take(orderOf(items))).toMatchObject({ known: 6, done: 0, failed: 0 });
  expect(downloads.map(({ resource }) => resource)).toEqual(
    items.slice(0, 4).map(({ resource }) => resource),
  );
  expect(get.mock.calls[0]?.[0]).toEqual({ ...items[0], headers: {}, noOrigin: false, maxStaleMs: 0 });
  downloads[2]?.end();
  await settle(clock);
  expect(downloads.map(({ resource }) => resource)).toEqual(
    items.slice(0, 5).map(({ resource }) => resource),
  );
});

test('an answer tells states, bytes and errors, and the end is an event', async () => {
  const { clock, orders, downloads, events } = openOrders();
  const items = urls(3);
  orders.take(orderOf(items));
  downloads[0]?.progress(3, 9);
  downloads[1]?.fail(new ShoalError('ERR_SOURCE_REFUSED', 'x'.repeat(1000), { details: { secret: 1 } }));
  downloads[2]?.end(7);
  await settle(clock);
  const reply = orders.take(orderOf([], { total: 3, statesFrom: 0 }));
  expect(reply).toMatchObject({ known: 3, done: 1, failed: 1, length: 16, doneBytes: 10 });
  expect(reply.states).toEqual([
    { state: 'running', length: 9, doneBytes: 3, bytes: { origin: 0, peers: 3, local: 0 } },
    {
      state: 'failed',
      doneBytes: 0,
      bytes: { origin: 0, peers: 0, local: 0 },
      error: { code: 'ERR_SOURCE_REFUSED', message: 'x'.repeat(300), retryable: false },
    },
    { state: 'done', length: 7, doneBytes: 7, bytes: { origin: 0, peers: 5, local: 0 } },
  ]);
  expect(events).toEqual([]);
  downloads[0]?.end(9);
  await settle(clock);
  expect(events).toMatchObject([
    { type: 'preheat.ended', id: JOB, data: { hostId: HOST, items: 3, failed: 1 } },
  ]);
  expect(EVENTS['preheat.ended'].data.strict().safeParse(events[0]?.data).success).toBe(true);
});

test('pages that come twice, late or out of order are one order', async () => {
  const { clock, orders, downloads } = openOrders();
  const items = urls(4);
  const page = (from: number, to: number) => orderOf(items.slice(from, to), { total: 4, from });
  expect(orders.take(page(2, 4)).known).toBe(0);
  expect(orders.take(orderOf([], { total: 4 })).known).toBe(0);
  expect(orders.take(page(0, 2)).known).toBe(2);
  expect(orders.take(page(3, 4)).known).toBe(2);
  expect(orders.take(page(0, 2)).known).toBe(2);
  expect(orders.take(page(1, 4)).known).toBe(4);
  expect(orders.take(page(2, 4)).known).toBe(4);
  expect(downloads).toHaveLength(4);
  for (const { end } of downloads) end();
  await settle(clock);
  expect(orders.take(orderOf(items)).done).toBe(4);
  expect(downloads).toHaveLength(4);
});

test('the id of an order of another size is refused', () => {
  const { orders } = openOrders();
  orders.take(orderOf(urls(2)));
  expect(() => orders.take(orderOf(urls(3)))).toThrow(
    expect.objectContaining({ code: 'ERR_BUS_MESSAGE_INVALID' }),
  );
});

test('a small order goes on beside a large one', async () => {
  const { clock, orders, downloads } = openOrders();
  orders.take(orderOf(urls(50)));
  orders.take(orderOf([{ resource: 'http://origin.example/small' }], { jobId: named('b') }));
  downloads[0]?.end();
  await settle(clock);
  expect(downloads.at(-1)?.resource).toBe('http://origin.example/small');
});

test('more orders, or more items, than a host keeps in mind are refused until some have ended', async () => {
  const { clock, orders, downloads } = openOrders();
  const busy = expect.objectContaining({ code: 'ERR_PREHEAT_BUSY' });
  for (let job = 0; job < 4; job += 1) orders.take(orderOf(urls(ORDER_ITEMS), { jobId: named(String(job)) }));
  expect(() => orders.take(orderOf(urls(1), { jobId: named('b') }))).toThrow(busy);

  const many = openOrders();
  const idOf = (job: number) => job.toString(16).padStart(32, '0');
  for (let job = 0; job < 64; job += 1) many.orders.take(orderOf(urls(1), { jobId: idOf(job) }));
  expect(() => many.orders.take(orderOf(urls(1), { jobId: named('b') }))).toThrow(busy);
  many.downloads[0]?.end();
  await settle(many.clock);
  expect(many.orders.take(orderOf(urls(1), { jobId: named('b') })).known).toBe(1);
  expect(many.orders.take(orderOf([], { total: 1, jobId: idOf(0) })).known).toBe(0);
  expect(downloads).toHaveLength(4);
  await settle(clock);
});

test('an order nobody asks for is forgotten after ten minutes, whole or not', async () => {
  const { clock, orders, downloads } = openOrders();
  orders.take(orderOf(urls(1)));
  orders.take(orderOf(urls(1), { jobId: named('b'), total: 2 }));
  for (const { end } of downloads) end();
  await clock.run(11 * MINUTE_MS);
  orders.take(orderOf(urls(1), { jobId: named('c') }));
  for (const jobId of [JOB, named('b')]) {
    expect(orders.take(orderOf([], { jobId, total: 1 })).known).toBe(0);
  }
});

test('an item that stands still for ten minutes is given up, one that moves is not', async () => {
  const { clock, orders, downloads } = openOrders();
  orders.take(orderOf(urls(2)));
  for (let minute = 1; minute <= 21; minute += 1) {
    await clock.run(minute * MINUTE_MS);
    downloads[1]?.progress(minute);
  }
  expect(orders.take(orderOf([], { total: 2, statesFrom: 0 })).states).toMatchObject([
    { state: 'failed', error: { code: 'ERR_TIMEOUT' } },
    { state: 'running', doneBytes: 21 },
  ]);
});

test('a host that stops gives up what runs and begins nothing more', async () => {
  const { clock, orders, downloads } = openOrders();
  orders.take(orderOf(urls(9)));
  orders.stop();
  await settle(clock);
  expect(downloads.map(({ signal }) => signal.aborted)).toEqual([true, true, true, true]);
});

test('a hostile order is dropped and answered as invalid, whatever it is', async () => {
  const { clock, hub, asker, get } = openOrders();
  const loose = { ...SUBJECTS.fetch, message: undefined as never, reply: SUBJECTS.fetch.reply };
  await fc.assert(
    fc.asyncProperty(fc.anything({ withTypedArray: true, withMap: true }), async (message) => {
      if (SUBJECTS.fetch.message.safeParse(message).success) return;
      const asked = codeOf(
        asker.request(loose, { hostId: HOST, sender: asker.name }, message as never, { timeoutMs: 100 }),
      );
      await clock.run(clock.now() + 200);
      expect(['ERR_BUS_MESSAGE_INVALID', 'ERR_BUS_MESSAGE_TOO_LARGE', 'ERR_INTERNAL']).toContain(await asked);
    }),
    { numRuns: 100 },
  );
  expect(get).not.toHaveBeenCalled();
  await hub.bus('x').close();
});

test('what a pin brought is spared at once, kept on the disk at the end, and let go with the order', async () => {
  const { clock, orders, downloads, content } = openOrders();
  const untilMs = clock.wall() + 60 * MINUTE_MS;
  const order = orderOf(urls(2), { keepUntilMs: untilMs });
  orders.take(order);
  downloads[0]?.end();
  await settle(clock);
  expect(content.spare).toHaveBeenCalledTimes(1);
  expect(content.keep).not.toHaveBeenCalled();
  downloads[1]?.end();
  await settle(clock);
  expect(content.keep).toHaveBeenCalledWith(JOB, [expect.stringMatching(/^sha256-/)], untilMs);
  expect(content.unspare).toHaveBeenCalledTimes(2);
  // Asked again it is kept on, where its time has moved.
  orders.take({ ...order, items: [] });
  expect(content.keep).toHaveBeenCalledTimes(1);
  orders.take({ ...order, items: [], keepUntilMs: untilMs + 120 * MINUTE_MS });
  expect(content.keep).toHaveBeenCalledTimes(2);
  orders.take({ ...order, items: [], keepUntilMs: 0 });
  expect(content.release).toHaveBeenCalledWith(JOB);
  expect(orders.take(order).known).toBe(2);
});

test('an order that is over stops what runs, and a late message of it begins nothing', async () => {
  const { clock, orders, downloads, content } = openOrders();
  orders.take(orderOf(urls(9)));
  expect(orders.take(orderOf([], { total: 1, end: true })).known).toBe(0);
  await settle(clock);
  expect(downloads).toHaveLength(4);
  for (const { signal } of downloads) expect(signal.aborted).toBe(true);
  expect(content.release).toHaveBeenCalledWith(JOB);
  expect(() => orders.take(orderOf(urls(9)))).toThrow(expect.objectContaining({ code: 'ERR_JOB_CANCELLED' }));
});

test('an order of a higher priority is begun first', async () => {
  const { clock, orders, downloads } = openOrders();
  orders.take(orderOf(urls(5), { jobId: named('1') }));
  const urgent = [{ resource: 'http://origin.example/urgent' }];
  orders.take(orderOf(urls(5), { jobId: named('2'), priority: 4 }));
  orders.take(orderOf(urgent, { jobId: named('3'), priority: 9 }));
  downloads[0]?.end();
  await settle(clock);
  expect(downloads.at(-1)?.resource).toBe('http://origin.example/urgent');
  for (const { end } of downloads.slice(1)) end();
  await settle(clock);
  expect(downloads[5]?.resource).toBe('http://origin.example/4');
});
