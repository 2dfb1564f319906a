import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { LeaseBook } from '../../../../actors/host/peer/lease-book.ts';
import type { MovedLease, PieceTransfer } from '../../../../actors/host/piece/piece.ts';
import { SlotPool } from '../../../../actors/host/slot-pool.ts';
import type { HostAddress } from '../../../../core/host.ts';
import type { HostId } from '../../../../core/ids.ts';
import type { Run } from '../../../../core/run.ts';

const address = (index: number): HostAddress => ({
  hostId: index.toString(16).padStart(32, '0') as HostId,
  ip: '10.0.0.1',
  port: 7400 + index,
});
const run = (first: number, count = 1, more: Partial<Run> = {}): Run => ({
  first,
  count,
  from: 'origin',
  hedge: false,
  ...more,
});

const right = new Uint8Array(32).fill(1);

/** A transfer that ends when the test says so, or at once when it is aborted; what it held is right. */
class FakeTransfer implements PieceTransfer {
  readonly bytes = 0;
  readonly durationMs = 0;
  readonly #lease: MovedLease;
  readonly #ended: Promise<void>;
  finish: () => void = () => {};

  constructor(lease: MovedLease) {
    this.#lease = lease;
    this.#ended = new Promise((resolve, reject) => {
      this.finish = resolve;
      lease.signal.addEventListener('abort', () => reject(lease.signal.reason));
    });
  }

  get run(): Run {
    return this.#lease.run;
  }

  get aborted(): boolean {
    return this.#lease.signal.aborted;
  }

  read(): Promise<void> {
    return this.#ended;
  }

  async hold(): Promise<Uint8Array> {
    await this.#ended;
    return right;
  }

  land(): Promise<void> {
    return Promise.resolve();
  }

  commit(): void {}

  /** All bytes of a piece are in their place. */
  bring(piece: number): void {
    this.#lease.came(piece, right, 1);
  }
}

/** Lets what was promised happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}

function watched(slots = 4, pool = new SlotPool(slots)) {
  const held = new Set<number>();
  const unready = new Set<number>();
  const started: FakeTransfer[] = [];
  const ended: Run[] = [];
  const book = new LeaseBook({
    pool,
    isHeld: (first, count) => {
      for (let piece = first; piece < first + count; piece += 1) if (!held.has(piece)) return false;
      return true;
    },
    isReady: ({ first }) => !unready.has(first),
    expected: () => right,
    transfer: (lease) => {
      const transfer = new FakeTransfer(lease);
      started.push(transfer);
      return transfer;
    },
    onStored: (_, piece) => void held.add(piece),
    onEnd: ({ run: of }) => void ended.push(of),
  });
  book.originAtOnce = 64;
  const firsts = () => started.map(({ run: { first } }) => first);
  const live = () => started.filter(({ run: of }) => !ended.includes(of));
  const finish = async (first: number) => {
    for (const transfer of live()) if (transfer.run.first === first) transfer.finish();
    await settle();
  };
  return { book, pool, held, unready, started, ended, live, firsts, finish };
}

describe('leases', () => {
  test('run as far as there are slots, in the order of the set, and the rest follow', async () => {
    const { book, firsts, finish, ended } = watched(2);
    expect(book.replace([run(5), run(1), run(3)])).toBe(3);
    expect(book.replace([run(5), run(1), run(3)])).toBe(0);
    expect(firsts()).toEqual([5, 1]);
    expect({ running: book.runningCount, queued: book.queuedPieces() }).toEqual({ running: 2, queued: [3] });
    await finish(5);
    expect(firsts()).toEqual([5, 1, 3]);
    expect(ended).toEqual([run(5)]);
  });

  test('whose body is open wait for a slot unread, count as in flight, and go before those that are not begun', async () => {
    const { book, firsts, finish } = watched(1);
    const discard = vi.fn();
    const body = { start: 0, end: 8, pump: vi.fn(), discard };
    book.replace([run(9), run(5)]);
    book.open(run(0, 3), body);
    expect({ firsts: firsts(), running: book.runningPieces() }).toEqual({
      firsts: [9],
      running: [9, 0, 1, 2],
    });
    expect(book.replace([run(1), run(5)])).toBe(0);
    await finish(9);
    expect({ firsts: firsts(), queued: book.queuedPieces() }).toEqual({ firsts: [9, 0], queued: [5] });
    expect(discard).not.toHaveBeenCalled();
  });

  test('whose body is open are given up at the end, and so is one that opens later', async () => {
    const { book, firsts } = watched(1);
    const bodies = [0, 4].map(() => ({ start: 0, end: 8, pump: vi.fn(), discard: vi.fn() }));
    const [waiting, late] = bodies;
    book.replace([run(9)]);
    if (waiting !== undefined) book.open(run(0, 3), waiting);
    await book.stop();
    if (late !== undefined) book.open(run(4), late);
    expect(firsts()).toEqual([9]);
    for (const body of bodies) expect(body.discard).toHaveBeenCalledOnce();
  });

  test('of a new set replace those that wait, and leave alone those that run', () => {
    const { book, firsts } = watched(1);
    book.replace([run(1), run(2), run(3)]);
    book.replace([run(1), run(4, 2)]);
    expect(firsts()).toEqual([1]);
    expect(book.queuedPieces()).toEqual([4, 5]);
    book.replace([]);
    expect({ running: book.runningPieces(), queued: book.queuedCount }).toEqual({ running: [1], queued: 0 });
  });

  test('of pieces that are there already are passed over, also when they came while waiting', async () => {
    const { book, held, firsts, finish } = watched(1);
    held.add(1);
    book.replace([run(1), run(2), run(3), run(4)]);
    held.add(3);
    await finish(2);
    expect(firsts()).toEqual([2, 4]);
  });

  test('whose hashes are not known wait without a slot, and do not hold up the others', () => {
    const { book, unready, firsts, pool } = watched(2);
    unready.add(1);
    book.replace([run(1), run(2)]);
    expect(firsts()).toEqual([2]);
    expect(pool.free).toBe(1);
    unready.clear();
    book.pump();
    expect(firsts()).toEqual([2, 1]);
  });

  test('are told of as running until their pieces are there', () => {
    const { book, held } = watched();
    book.replace([run(3, 3)]);
    expect(book.runningPieces()).toEqual([3, 4, 5]);
    held.add(4);
    expect(book.runningPieces()).toEqual([3, 5]);
    expect([book.isInFlight(5), book.isInFlight(6)]).toEqual([true, false]);
  });

  test('are counted by parent', () => {
    const { book } = watched();
    const [a, b] = [address(1), address(2)];
    book.replace([run(1, 1, { from: a }), run(2, 1, { from: { ...a } }), run(3, 1, { from: b }), run(4)]);
    expect([book.runningFrom(a), book.runningFrom(b), book.runningFrom('origin')]).toEqual([2, 1, 1]);
  });

  test('of the origin run as many at once as the scheduler says, and parents do not wait for them', async () => {
    const { book, firsts, finish } = watched(4);
    book.originAtOnce = 1;
    const parent = { hostId: 'parent' as HostId, ip: '127.0.0.1', port: 1 };
    book.replace([run(0), run(1), { first: 2, count: 1, from: parent, hedge: false }]);
    expect(firsts()).toEqual([0, 2]);
    await finish(0);
    expect(firsts()).toEqual([0, 2, 1]);
  });

  test('of two tasks: the one that asked first goes first, and every fourth slot goes to the other', async () => {
    const pool = new SlotPool(1);
    const [one, two] = [watched(1, pool), watched(1, pool)];
    one.book.replace([run(1), run(2), run(3), run(4), run(5), run(6)]);
    two.book.replace([run(7)]);
    for (const first of [1, 2, 3]) await one.finish(first);
    expect([one.firsts(), two.firsts()]).toEqual([[1, 2, 3, 4], []]);
    await one.finish(4);
    expect([one.firsts(), two.firsts()]).toEqual([[1, 2, 3, 4], [7]]);
    expect(pool.used).toBe(1);
  });
});

describe('a hedge', () => {
  test('runs beside the transfer that is late, and is dropped when that one brings the piece', async () => {
    const { book, started } = watched();
    book.replace([run(1, 2, { from: address(1) })]);
    book.replace([run(1, 1, { from: address(2), hedge: true })]);
    book.replace([run(2, 1, { from: address(3), hedge: true })]);
    expect(started).toHaveLength(3);
    started[0]?.bring(1);
    await settle();
    expect(started.map(({ aborted }) => aborted)).toEqual([false, true, false]);
  });

  test('on the same parent does not start', () => {
    const { book, started } = watched();
    book.replace([run(1, 2, { from: address(1) })]);
    book.replace([run(1, 1, { from: address(1), hedge: true })]);
    expect(started).toHaveLength(1);
    book.replace([run(1, 1, { from: address(2), hedge: true })]);
    book.replace([run(2, 1, { from: address(1), hedge: true })]);
    expect(started).toHaveLength(2);
  });

  test('takes the piece only when the one that writes it has stopped', async () => {
    const { book, started, live, ended, pool } = watched();
    book.replace([run(1, 2, { from: address(1) })]);
    book.replace([run(1, 1, { from: address(2), hedge: true })]);
    started[1]?.finish();
    await settle();
    expect(started.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(ended.map(({ hedge }) => hedge)).toEqual([false, true]);
    expect({ live: live().length, running: book.runningCount, used: pool.used }).toEqual({
      live: 0,
      running: 0,
      used: 0,
    });
  });

  test('that began after the late one had ended does not wait for itself', async () => {
    const { book, started, finish, ended } = watched(1);
    book.replace([run(1, 1, { from: address(1) })]);
    book.replace([run(1, 1, { from: address(2), hedge: true })]);
    // The slot becomes free because the late one failed: nobody writes the piece when the hedge starts.
    await finish(1);
    const [, hedge] = started;
    expect(hedge?.run.hedge).toBe(true);
    hedge?.finish();
    await settle();
    expect({ aborted: hedge?.aborted, ended: ended.length }).toEqual({ aborted: false, ended: 2 });
  });

  test('is the only one of its piece, however often the set names it', async () => {
    const { book, started, finish } = watched();
    book.replace([run(1, 1, { from: address(1) })]);
    const hedge = run(1, 1, { from: address(2), hedge: true });
    for (let round = 0; round < 3; round += 1) book.replace([hedge]);
    book.replace([run(1, 1, { from: address(3), hedge: true })]);
    expect(started).toHaveLength(2);
    await finish(1);
    expect(book.runningCount).toBe(0);
  });

  test('is told of as running when the late one has ended', async () => {
    const { book, started } = watched();
    book.replace([run(1, 1, { from: address(1) })]);
    book.replace([run(1, 1, { from: address(2), hedge: true })]);
    started[0]?.finish();
    await settle();
    expect(book.runningCount).toBe(1);
    expect(book.runningPieces()).toEqual([1]);
  });
});

test('a run that overlaps a running one does not write its pieces a second time', () => {
  const { book, started } = watched();
  book.replace([run(2, 3)]);
  book.replace([run(1, 3)]);
  const pieces = started.flatMap(({ run: { first, count } }) =>
    Array.from({ length: count }, (_, index) => first + index),
  );
  expect(new Set(pieces).size).toBe(pieces.length);
});

describe('a run', () => {
  const parts = (started: readonly FakeTransfer[]) => started.map(({ run: of }) => [of.first, of.count]);

  test('is cut where its pieces are in flight, and its ends where they are there', async () => {
    const { book, started, held } = watched(8);
    book.replace([run(5, 2)]);
    for (const piece of [2, 4, 9]) held.add(piece);
    expect(book.replace([run(2, 8)])).toBe(2);
    expect(parts(started)).toEqual([
      [5, 2],
      [3, 1],
      [7, 2],
    ]);
  });

  test('that waits is cut anew when its turn comes, and is not taken for a new one', async () => {
    const { book, started, held, finish } = watched(1);
    book.replace([run(9), run(1, 4)]);
    held.add(1);
    expect(book.replace([run(9), run(1, 4)])).toBe(0);
    expect(book.queuedPieces()).toEqual([2, 3, 4]);
    held.add(4);
    await finish(9);
    expect(parts(started)).toEqual([
      [9, 1],
      [2, 2],
    ]);
  });

  test('of two in one set that overlap, the second leaves out what the first fetches', () => {
    const { book, started } = watched(4);
    book.replace([run(1, 3), run(2, 4)]);
    expect(parts(started)).toEqual([
      [1, 3],
      [4, 2],
    ]);
  });

  test('from the start of an origin is never cut, and waits for what is in flight of it', async () => {
    const { book, started, held, finish } = watched(4);
    held.add(0);
    book.replace([run(3, 1, { from: address(1) })]);
    book.replace([run(3, 1, { from: address(1) }), run(0, 8)]);
    expect({ running: book.runningPieces(), queued: book.queuedPieces().length }).toEqual({
      running: [3],
      queued: 8,
    });
    await finish(3);
    expect(parts(started)).toEqual([
      [3, 1],
      [0, 8],
    ]);
    book.replace([run(0, 8), run(5, 1, { from: address(1) })]);
    expect({ started: started.length, queued: book.queuedCount }).toEqual({ started: 2, queued: 0 });
  });

  test('without an end tells of a bounded number of pieces as running, and has all of them in flight', () => {
    const { book, held } = watched();
    book.replace([run(0, 262_144)]);
    held.add(0);
    expect(book.runningPieces()).toEqual(Array.from({ length: 4096 }, (_, index) => index + 1));
    expect([book.isInFlight(262_143), book.isInFlight(262_144)]).toEqual([true, false]);
  });
});

test('however runs overlap, no piece is in flight twice but for a hedge, and none is left behind', async () => {
  const lease = fc.record({
    first: fc.integer({ min: 1, max: 12 }),
    count: fc.integer({ min: 1, max: 6 }),
    parent: fc.nat({ max: 2 }),
    hedge: fc.boolean(),
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), leases: fc.array(lease, { maxLength: 5 }) }),
    fc.record({ kind: fc.constant('store' as const), piece: fc.integer({ min: 1, max: 18 }) }),
    fc.record({ kind: fc.constant('end' as const), at: fc.nat({ max: 9 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(step, { maxLength: 40 }),
      async (slots, steps) => {
        const { book, pool, live, held } = watched(slots);
        for (const action of steps) {
          if (action.kind === 'store') held.add(action.piece);
          else if (action.kind === 'end') {
            const running = live();
            const transfer = running[action.at % Math.max(1, running.length)];
            transfer?.finish();
            await settle();
          } else {
            book.replace(
              action.leases.map(({ first, count, parent, hedge }) =>
                run(first, hedge ? 1 : count, { from: parent === 0 ? 'origin' : address(parent), hedge }),
              ),
            );
          }
          const written: number[] = [];
          const hedged: number[] = [];
          for (const { run: of } of live()) {
            for (let at = of.first; at < of.first + of.count; at += 1) (of.hedge ? hedged : written).push(at);
          }
          expect(new Set(written).size).toBe(written.length);
          expect(new Set(hedged).size).toBe(hedged.length);
          const inFlight = [...new Set([...written, ...hedged])].filter((at) => !held.has(at));
          expect(book.runningPieces().sort((a, b) => a - b)).toEqual(inFlight.sort((a, b) => a - b));
          expect(pool.used).toBe(live().length);
          if (action.kind === 'set') {
            const known = new Set([...book.runningPieces(), ...book.queuedPieces()]);
            for (const { first, count, hedge } of action.leases) {
              for (let at = first; at < first + (hedge ? 1 : count); at += 1) {
                if (!held.has(at)) expect(known.has(at)).toBe(true);
              }
            }
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

describe('stopping', () => {
  test('aborts what runs, forgets what waits, and starts nothing more', async () => {
    const { book, started, pool, ended } = watched(2);
    book.replace([run(1), run(2), run(3)]);
    await book.stop();
    await settle();
    expect(started.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect({ used: pool.used, queued: book.queuedCount, ended: ended.length }).toEqual({
      used: 0,
      queued: 0,
      ended: 2,
    });
    book.replace([run(4)]);
    expect(started).toHaveLength(2);
  });

  test('leaves the slots to those who still wait', async () => {
    const pool = new SlotPool(1);
    const [one, two, three] = [watched(1, pool), watched(1, pool), watched(1, pool)];
    one.book.replace([run(1)]);
    two.book.replace([run(2)]);
    three.book.replace([run(3)]);
    await two.book.stop();
    await one.finish(1);
    expect(three.firsts()).toEqual([3]);
  });
});

test('whatever sets come and however transfers end, slots are kept to and every lease is served', async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      pieces: fc.uniqueArray(fc.nat({ max: 9 }), { maxLength: 6 }),
    }),
    fc.record({ kind: fc.constant('end' as const), at: fc.nat({ max: 9 }), stored: fc.boolean() }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { maxLength: 40 }),
      async (slots, steps) => {
        const { book, pool, started, live, held } = watched(slots);
        const end = async (transfer: FakeTransfer, stored: boolean) => {
          if (stored) held.add(transfer.run.first);
          transfer.finish();
          await settle();
        };
        let wanted: readonly number[] = [];
        for (const action of steps) {
          if (action.kind === 'set') {
            wanted = action.pieces;
            book.replace(action.pieces.map((piece) => run(piece)));
          } else {
            const running = live();
            const transfer = running[action.at % Math.max(1, running.length)];
            if (transfer) await end(transfer, action.stored);
          }
          expect(pool.used).toBe(live().length);
          expect(pool.used).toBeLessThanOrEqual(slots);
          const flying = live().map(({ run: { first } }) => first);
          expect(new Set(flying).size).toBe(flying.length);
          if (pool.free > 0) expect(book.queuedCount).toBe(0);
        }
        for (let transfer = live()[0]; transfer !== undefined; transfer = live()[0])
          await end(transfer, true);
        const tried = new Set(started.map(({ run: { first } }) => first));
        expect(wanted.filter((piece) => !tried.has(piece) && !held.has(piece))).toEqual([]);
        expect(pool.used).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});
