import { expect, test } from 'vitest';
import { ParentPace } from '../../../../actors/host/peer/parent-pace.ts';
import { SimClock } from '../../../../sim/clock.ts';

const MIB = 1024 * 1024;
const limits = { pieceLength: MIB, patienceMs: 5_000 };

/** A transfer at one rate, beside others of the host at another; tells after how many ms it is found too slow. */
async function slowAfter(rates: { own: number; others: number; count: number; piecesAtMs?: number[] }) {
  const clock = new SimClock();
  const load = { cameBytes: 0, running: 1 + rates.count };
  let slowMs: number | undefined;
  const pace = new ParentPace(
    clock,
    () => load,
    limits,
    () => {
      slowMs ??= clock.now();
    },
  );
  for (let atMs = 100; atMs <= 60_000 && slowMs === undefined; atMs += 100) {
    await clock.run(atMs);
    pace.came(rates.own / 10);
    load.cameBytes += rates.own / 10 + (rates.others * rates.count) / 10;
    if (rates.piecesAtMs?.includes(atMs)) pace.pieceCame();
  }
  pace.end();
  return slowMs;
}

test('a parent of a few bytes a second is too slow, whatever the others do', async () => {
  expect(await slowAfter({ own: 1, others: 0, count: 0 })).toBe(2_000);
  expect(await slowAfter({ own: 1, others: 5 * MIB, count: 3 })).toBe(2_000);
});

test('below the floor a parent is too slow only where others give four times as much', async () => {
  expect(await slowAfter({ own: 8_000, others: 5 * MIB, count: 3 })).toBe(2_000);
  expect(await slowAfter({ own: 8_000, others: 8_000, count: 23 })).toBeUndefined();
  expect(await slowAfter({ own: 8_000, others: 0, count: 0 })).toBeUndefined();
});

test('above the floor a piece is overdue after three times what one takes on average, and five seconds', async () => {
  // An average transfer brings 2.5 MiB a second: three pieces take less than the patience.
  expect(await slowAfter({ own: 50_000, others: 5 * MIB, count: 1 })).toBe(6_000);
  // A tenth of that: three pieces take twelve seconds.
  expect(await slowAfter({ own: 50_000, others: 0.5 * MIB, count: 1 })).toBe(12_000);
});

test('a parent that brings piece after piece is never overdue, however many a lease has', async () => {
  const piecesAtMs = Array.from({ length: 20 }, (_, index) => 3_000 * (index + 1));
  expect(await slowAfter({ own: 0.34 * MIB, others: MIB, count: 4, piecesAtMs })).toBeUndefined();
});
