import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskHoldings } from '../../../actors/scheduler/holdings.ts';
import type { HostId, TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';

const host = (index: number) => index.toString(16).padStart(32, '0') as HostId;
const task = (index: number) => `url-${index.toString(16).padStart(64, '0')}` as TaskId;
const page = { incarnation: 1, page: 0, pages: 1 };

test('a page of holdings adds what it names and takes away what is gone', () => {
  const holdings = new TaskHoldings();
  const have = new Uint8Array([0x80]);
  holdings.take(host(1), {
    ...page,
    tasks: [
      { taskId: task(1), audience: 'public' },
      { taskId: task(2), audience: 'public', have },
    ],
    gone: [],
  });
  expect([...holdings.hosts(task(1))]).toEqual([[host(1), 'complete']]);
  expect([...holdings.hosts(task(2))]).toEqual([[host(1), have]]);
  holdings.take(host(1), { ...page, tasks: [], gone: [task(1), task(3)] });
  expect([...holdings.tasks()]).toEqual([task(2)]);
});

test('bits that do not fit the number of pieces count for nothing', () => {
  expect(TaskHoldings.bits('complete', 10)?.complete).toBe(true);
  expect(TaskHoldings.bits(new Uint8Array([0xff, 0xff]), 10)?.count).toBe(10);
  expect(TaskHoldings.bits(new Uint8Array([0xff]), 10)).toBeUndefined();
  expect(TaskHoldings.bits(new Uint8Array(3), 10)).toBeUndefined();
  expect(TaskHoldings.bits(new Uint8Array(0), 0)?.complete).toBe(true);
});

test('it behaves as a table of hosts and tasks, whatever comes and goes', () => {
  const step = fc.record({
    verb: fc.constantFrom('set', 'delete', 'deleteHost', 'take'),
    host: fc.nat({ max: 4 }),
    task: fc.nat({ max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const holdings = new TaskHoldings();
      const model = new Set<string>();
      const forget = (start: string) => {
        for (const key of model) if (key.startsWith(start)) model.delete(key);
      };
      for (const { verb, host: h, task: t } of steps) {
        if (verb === 'set') holdings.set(task(t), host(h), 'complete', 'public');
        if (verb === 'take') {
          const tasks = [{ taskId: task(t), audience: 'public' as const }];
          holdings.take(host(h), { ...page, tasks, gone: [task((t + 1) % 5)] });
          model.delete(`${h}.${(t + 1) % 5}`);
        }
        if (verb === 'set' || verb === 'take') model.add(`${h}.${t}`);
        if (verb === 'delete') holdings.delete(task(t), host(h));
        if (verb === 'delete') model.delete(`${h}.${t}`);
        if (verb === 'deleteHost') holdings.deleteHost(host(h));
        if (verb === 'deleteHost') forget(`${h}.`);
      }
      const found = [0, 1, 2, 3, 4].flatMap((t) =>
        [...holdings.hosts(task(t))].map(([id]) => `${Number.parseInt(id, 16)}.${t}`),
      );
      expect(found.sort()).toEqual([...model].sort());
      const held = new Set([...model].map((key) => task(Number(key.split('.')[1]))));
      expect(new Set(holdings.tasks())).toEqual(held);
    }),
    { numRuns: 200 },
  );
});

test('a host has bitfields of so many bytes in all, and what it gives back it may use again', () => {
  const holdings = new TaskHoldings();
  const large = new Uint8Array(LIMITS.holdingBytesPerHost / 2);
  expect(holdings.set(task(1), host(1), large, 'public')).toBe(true);
  expect(holdings.set(task(2), host(1), large, 'public')).toBe(true);
  expect(holdings.set(task(3), host(1), new Uint8Array(1), 'public')).toBe(false);
  expect(holdings.set(task(3), host(1), 'complete', 'public')).toBe(true);
  expect(holdings.set(task(3), host(2), large, 'public')).toBe(true);
  holdings.set(task(1), host(1), 'complete', 'public');
  expect(holdings.set(task(4), host(1), large, 'public')).toBe(true);
  holdings.deleteHost(host(1));
  expect(holdings.set(task(5), host(1), large, 'public')).toBe(true);
});
