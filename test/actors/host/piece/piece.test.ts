import { describe, expect, test, vi } from 'vitest';
import { PieceActor, type PieceGround } from '../../../../actors/host/piece/piece.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { host, lease, pieceGround, settle } from './ground.ts';

const nothing = new Uint8Array(32);

describe('a lease', () => {
  test('waits for a slot, runs, and ends when all its pieces are recorded, one by one', async () => {
    const { book, pool, fetches, partOf, recorded, ends, read } = await pieceGround({ slots: 1 });
    book.replace([lease(0, 2, 1), lease(2, 1, 2)]);
    expect({ asked: fetches.length, used: pool.used, queued: book.queuedPieces() }).toEqual({
      asked: 1,
      used: 1,
      queued: [2],
    });
    await fetches[0]?.give(partOf(0));
    expect({ recorded, running: book.runningPieces() }).toEqual({ recorded: [0], running: [1] });
    await fetches[0]?.give(partOf(1));
    expect({ recorded, ends: ends() }).toEqual({ recorded: [0, 1], ends: [] });
    await fetches[0]?.end();
    expect(ends()).toEqual([[0, 'stored', undefined]]);
    expect({ asked: fetches.map(({ parent }) => parent), used: pool.used }).toEqual({
      asked: [host(1).hostId, host(2).hostId],
      used: 1,
    });
    expect(Buffer.compare(await read(1), partOf(1))).toBe(0);
  });

  test('that a new set does not name any more is forgotten without a word', async () => {
    const { book, pool, fetches, ends } = await pieceGround({ slots: 1 });
    book.replace([lease(0, 1, 1), lease(1, 1, 2)]);
    book.replace([lease(0, 1, 1), lease(2, 1, 3)]);
    expect(book.queuedPieces()).toEqual([2]);
    await fetches[0]?.end();
    expect(fetches.map(({ range: { start } }) => start)).toEqual([0, 20]);
    expect({ used: pool.used, ends: ends() }).toEqual({ used: 1, ends: [[0, 'stored', undefined]] });
  });

  test('that has not begun leaves no slot behind when it is given up', async () => {
    const { book, pool, fetches, ends } = await pieceGround({ slots: 1 });
    book.replace([lease(0, 1, 1), lease(1, 1, 2)]);
    const stopped = book.stop();
    await settle();
    await stopped;
    expect({ used: pool.used, asked: fetches.length, ends: ends() }).toEqual({
      used: 0,
      asked: 1,
      ends: [[0, 'dropped', undefined]],
    });
  });

  test('that fails says why, and its pieces that came stay', async () => {
    const { book, pool, fetches, partOf, recorded, ends } = await pieceGround();
    book.replace([lease(0, 3, 1)]);
    await fetches[0]?.give(partOf(0));
    await fetches[0]?.end(new ShoalError('ERR_PEER_STALLED', 'nothing comes'));
    expect(ends()).toEqual([[0, 'failed', 'stalled']]);
    expect({ recorded, used: pool.used, running: book.runningPieces() }).toEqual({
      recorded: [0],
      used: 0,
      running: [],
    });
  });

  test('whose bytes are wrong records nothing of them, stops its transfer and names its parent', async () => {
    const { book, pool, fetches, partOf, stored, ended } = await pieceGround({ deaf: true });
    book.replace([lease(0, 3, 7)]);
    await fetches[0]?.give(partOf(0));
    await fetches[0]?.give(partOf(0));
    expect(fetches[0]?.signal.aborted).toBe(true);
    // It holds its slot and its pieces until its transfer writes no more.
    expect({ ended, used: pool.used, running: book.runningPieces() }).toEqual({
      ended: [],
      used: 1,
      running: [1, 2],
    });
    expect(await fetches[0]?.give(partOf(2))).toMatchObject({ code: 'ERR_PIECE_CORRUPT' });
    expect([...stored.have.ones()]).toEqual([0]);
    expect(ended).toMatchObject([
      { state: 'failed', reason: 'corrupt', details: { piece: 1, parent: host(7).hostId } },
    ]);
    expect(pool.used).toBe(0);
  });

  test('whose last bytes are wrong fails though its transfer ended well', async () => {
    const { book, fetches, partOf, ends, stored } = await pieceGround({ deaf: true });
    book.replace([lease(3, 1, 7)]);
    await fetches[0]?.give(partOf(0));
    await fetches[0]?.end();
    expect({ ends: ends(), have: stored.have.count }).toEqual({ ends: [[3, 'failed', 'corrupt']], have: 0 });
  });

  test('whose hash was withdrawn while its bytes were on their way is given up, and nobody is blamed', async () => {
    const { book, pool, fetches, partOf, content, ends, stored } = await pieceGround();
    book.replace([lease(0, 2, 1)]);
    await fetches[0]?.give(partOf(0).subarray(0, 5));
    content.expectAll([{ piece: 0, hash: nothing }]);
    await fetches[0]?.give(partOf(0).subarray(5));
    expect(ends()).toEqual([[0, 'dropped', undefined]]);
    expect({ have: stored.have.count, used: pool.used, aborted: fetches[0]?.signal.aborted }).toEqual({
      have: 0,
      used: 0,
      aborted: true,
    });
  });

  test('of the origin is believed whatever its bytes', async () => {
    const { book, origin, partOf, recorded, ends } = await pieceGround();
    origin.read = async (_, sink) => {
      await sink(partOf(3));
      return undefined as never;
    };
    book.replace([{ first: 1, count: 1, from: 'origin', hedge: false }]);
    await settle();
    expect({ recorded, ends: ends() }).toEqual({ recorded: [1], ends: [[1, 'stored', undefined]] });
  });

  test('whose record cannot be written fails by the store, and writes no more', async () => {
    const { book, pool, fetches, partOf, stored, recorded, ends } = await pieceGround({ deaf: true });
    vi.spyOn(stored, 'commit').mockImplementation(() => {
      throw new ShoalError('ERR_STORE_FULL', 'no space');
    });
    book.replace([lease(0, 2, 1)]);
    await fetches[0]?.give(partOf(0));
    expect({ aborted: fetches[0]?.signal.aborted, used: pool.used }).toEqual({ aborted: true, used: 1 });
    expect(await fetches[0]?.give(partOf(1))).toMatchObject({ code: 'ERR_STORE_FULL' });
    expect({ recorded, ends: ends(), used: pool.used }).toEqual({
      recorded: [],
      ends: [[0, 'failed', 'store']],
      used: 0,
    });
  });

  test('that is stopped in the middle writes no more, and blames nobody', async () => {
    const { book, pool, fetches, partOf, recorded, ends } = await pieceGround({ deaf: true });
    book.replace([lease(0, 2, 1)]);
    await fetches[0]?.give(partOf(0));
    let isStopped = false;
    const stopped = book.stop().then(() => {
      isStopped = true;
    });
    await settle();
    expect({ isStopped, aborted: fetches[0]?.signal.aborted, used: pool.used }).toEqual({
      isStopped: false,
      aborted: true,
      used: 1,
    });
    expect(await fetches[0]?.give(partOf(1))).toMatchObject({ code: 'ERR_CANCELLED' });
    await stopped;
    expect({ recorded, ends: ends(), used: pool.used }).toEqual({
      recorded: [0],
      ends: [[0, 'dropped', undefined]],
      used: 0,
    });
  });

  test('whose chart breaks gives back its slot all the same', async () => {
    const { book, pool, fetches, partOf, ends, content } = await pieceGround();
    vi.spyOn(content, 'expected').mockImplementation(() => {
      throw new TypeError('odd');
    });
    book.replace([lease(0, 1, 1)]);
    await fetches[0]?.give(partOf(0));
    expect(ends()).toEqual([[0, 'running', 'protocol']]);
    expect({ used: pool.used, running: book.runningCount }).toEqual({ used: 0, running: 0 });
  });
});

describe('a lease whose body is open', () => {
  const opened = () => ({ start: 0, end: 40, pump: vi.fn(() => Promise.resolve(0)), discard: vi.fn() });
  const run = { first: 0, count: 4, from: 'origin' as const, hedge: false };

  test('is in flight before it has a slot, and is read when it has one', async () => {
    const { book, fetches, partOf } = await pieceGround({ slots: 1 });
    book.replace([lease(1, 1, 1)]);
    const body = opened();
    book.open({ ...run, first: 2, count: 2 }, body);
    expect({
      running: book.runningPieces(),
      queued: book.queuedCount,
      from: book.runningFrom('origin'),
    }).toEqual({
      running: [1, 2, 3],
      queued: 0,
      from: 0,
    });
    expect(body.pump).not.toHaveBeenCalled();
    await fetches[0]?.give(partOf(1));
    await fetches[0]?.end();
    expect(body.pump).toHaveBeenCalledOnce();
  });

  test('is closed unread when it is given up, without a slot to give back', async () => {
    const { book, pool, ends } = await pieceGround({ slots: 1 });
    book.replace([lease(1, 1, 1)]);
    const body = opened();
    book.open(run, body);
    await book.stop();
    expect(body.discard).toHaveBeenCalledOnce();
    expect(body.pump).not.toHaveBeenCalled();
    expect({ used: pool.used, ends: ends() }).toEqual({ used: 0, ends: [[1, 'dropped', undefined]] });
  });

  test('is closed when reading it fails', async () => {
    const { book, ends } = await pieceGround();
    const body = opened();
    body.pump.mockRejectedValue(new ShoalError('ERR_SOURCE_STATUS', 'gone'));
    book.open(run, body);
    await settle();
    expect(body.discard).toHaveBeenCalledOnce();
    expect(ends()).toEqual([[0, 'failed', 'origin-status']]);
  });
});

describe('a hedge', () => {
  /** A lease of two pieces that is late, and a hedge of its first. */
  async function hedged(options: Parameters<typeof pieceGround>[0] = {}) {
    const ground = await pieceGround(options);
    ground.book.replace([lease(0, 2, 1)]);
    ground.book.replace([lease(0, 1, 2, true)]);
    const [late, hedge] = ground.fetches;
    if (late === undefined || hedge === undefined) throw new Error('not begun');
    return { ...ground, late, hedge };
  }

  test('is held until it has proven right, then takes the piece from the one that writes it', async () => {
    const { late, hedge, partOf, recorded, ends, pool, passed, read } = await hedged();
    await late.give(partOf(0).subarray(0, 3));
    await hedge.give(partOf(0));
    expect({ recorded, aborted: late.signal.aborted, written: passed.bytes }).toEqual({
      recorded: [],
      aborted: false,
      written: 3,
    });
    await hedge.end();
    expect(late.signal.aborted).toBe(true);
    expect({ recorded, ends: ends(), used: pool.used }).toEqual({
      recorded: [0],
      ends: [
        [0, 'dropped', undefined],
        [0, 'stored', undefined],
      ],
      used: 0,
    });
    expect(Buffer.compare(await read(0), partOf(0))).toBe(0);
  });

  test('writes nothing before the one it takes the piece from has ended, whatever still comes there', async () => {
    const { late, hedge, partOf, recorded, ends, pool, passed } = await hedged({ deaf: true });
    await hedge.give(partOf(0));
    await hedge.end();
    expect({ recorded, used: pool.used, aborted: late.signal.aborted, written: passed.bytes }).toEqual({
      recorded: [],
      used: 2,
      aborted: true,
      written: 0,
    });
    // Bytes of the one that was seized: too late to be judged, right or wrong.
    expect(await late.give(partOf(0))).toMatchObject({ code: 'ERR_CANCELLED' });
    expect({ recorded, ends: ends(), used: pool.used }).toEqual({
      recorded: [0],
      ends: [
        [0, 'dropped', undefined],
        [0, 'stored', undefined],
      ],
      used: 0,
    });
  });

  test('is given up when the late one brings the piece, and that one goes on', async () => {
    const { late, hedge, partOf, recorded, ends, pool, book } = await hedged();
    await late.give(partOf(0));
    expect({ hedge: hedge.signal.aborted, late: late.signal.aborted }).toEqual({ hedge: true, late: false });
    expect({ recorded, ends: ends(), used: pool.used }).toEqual({
      recorded: [0],
      ends: [[0, 'dropped', undefined]],
      used: 1,
    });
    // Another piece of it may be hedged as well.
    book.replace([lease(1, 1, 3, true)]);
    await late.give(partOf(1));
    await late.end();
    expect(ends().slice(1)).toEqual([
      [1, 'dropped', undefined],
      [0, 'stored', undefined],
    ]);
    expect({ recorded, used: pool.used }).toEqual({ recorded: [0, 1], used: 0 });
  });

  test('that was given up ends when its bytes come all the same', async () => {
    const { late, hedge, partOf, recorded, ends, pool } = await hedged({ deaf: true });
    await late.give(partOf(0));
    await hedge.give(partOf(0));
    await hedge.end();
    expect({ recorded, ends: ends(), used: pool.used }).toEqual({
      recorded: [0],
      ends: [[0, 'dropped', undefined]],
      used: 1,
    });
    expect(late.signal.aborted).toBe(false);
  });

  test('with wrong bytes fails alone and names its parent; the late one goes on', async () => {
    const { late, hedge, partOf, recorded, ended, pool, book } = await hedged();
    await hedge.give(partOf(1));
    await hedge.end();
    expect(ended).toMatchObject([
      { state: 'failed', reason: 'corrupt', details: { piece: 0, parent: host(2).hostId } },
    ]);
    expect({ aborted: late.signal.aborted, used: pool.used }).toEqual({ aborted: false, used: 1 });
    // Another may be tried.
    book.replace([lease(0, 1, 3, true)]);
    expect(book.runningCount).toBe(2);
    await late.give(partOf(0));
    expect(recorded).toEqual([0]);
  });

  test('whose parent fails says why; the late one goes on', async () => {
    const { late, hedge, ends, pool } = await hedged();
    await hedge.end(new ShoalError('ERR_PEER_BUSY', 'no slot'));
    expect({ ends: ends(), aborted: late.signal.aborted, used: pool.used }).toEqual({
      ends: [[0, 'failed', 'busy']],
      aborted: false,
      used: 1,
    });
  });

  test('whose hash was withdrawn meanwhile is given up, and nobody is blamed', async () => {
    const { late, hedge, partOf, content, ends, pool } = await hedged();
    await hedge.give(partOf(0));
    content.expectAll([{ piece: 0, hash: nothing }]);
    await hedge.end();
    expect({ ends: ends(), aborted: late.signal.aborted, used: pool.used }).toEqual({
      ends: [[0, 'dropped', undefined]],
      aborted: false,
      used: 1,
    });
  });

  test('goes on alone when the late one fails, and writes at once when it has proven right', async () => {
    const { late, hedge, partOf, recorded, ends, book } = await hedged();
    await late.end(new ShoalError('ERR_PEER_UNAVAILABLE', 'gone'));
    expect({ running: book.runningPieces(), ends: ends() }).toEqual({
      running: [0],
      ends: [[0, 'failed', 'unreachable']],
    });
    await hedge.give(partOf(0));
    await hedge.end();
    expect({ recorded, ends: ends().slice(1) }).toEqual({ recorded: [0], ends: [[0, 'stored', undefined]] });
  });

  test('is not begun on the parent that is late, nor twice of one piece', async () => {
    const { book, fetches } = await hedged();
    book.replace([lease(0, 1, 3, true), lease(1, 1, 1, true)]);
    expect(fetches).toHaveLength(2);
    book.replace([lease(1, 1, 3, true)]);
    expect(fetches).toHaveLength(3);
  });

  test('that waits for the late one to end when all is stopped writes nothing', async () => {
    const { book, late, hedge, partOf, recorded, ends, pool } = await hedged({ deaf: true });
    await hedge.give(partOf(0));
    await hedge.end();
    const stopped = book.stop();
    await settle();
    expect(ends()).toEqual([[0, 'dropped', undefined]]);
    await late.end();
    await stopped;
    expect({ recorded, used: pool.used, ends: ends().length }).toEqual({ recorded: [], used: 0, ends: 2 });
  });

  test('is stopped with all the rest, and so is the late one', async () => {
    const { book, late, hedge, pool, ends } = await hedged();
    await book.stop();
    expect([late.signal.aborted, hedge.signal.aborted]).toEqual([true, true]);
    expect({ used: pool.used, states: ends().map(([, state]) => state) }).toEqual({
      used: 0,
      states: ['dropped', 'dropped'],
    });
  });

  test('of a lease whose bytes proved wrong is not begun any more, and one that is under way goes on', async () => {
    const { book, late, hedge, partOf, fetches, recorded, ends } = await hedged({ deaf: true });
    await late.give(partOf(3));
    book.replace([lease(1, 1, 3, true)]);
    expect(fetches).toHaveLength(2);
    await hedge.give(partOf(0));
    await hedge.end();
    expect({ recorded, ends: ends() }).toEqual({ recorded: [], ends: [] });
    await late.end();
    expect({ recorded, ends: ends() }).toEqual({
      recorded: [0],
      ends: [
        [0, 'failed', 'corrupt'],
        [0, 'stored', undefined],
      ],
    });
  });

  test('makes no difference to a record that fails, to a hash that is withdrawn, or to a failure', async () => {
    const full = await hedged();
    vi.spyOn(full.stored, 'commit').mockImplementation(() => {
      throw new ShoalError('ERR_STORE_FULL', 'no space');
    });
    await full.late.give(full.partOf(0));
    expect(full.ends()).toContainEqual([0, 'failed', 'store']);
    const gone = await hedged();
    gone.content.expectAll([{ piece: 0, hash: nothing }]);
    await gone.late.give(gone.partOf(0));
    expect(gone.ends()).toEqual([[0, 'dropped', undefined]]);
  });
});

/** A lease whose transfer and book are the test's. */
function alone() {
  const transfer = {
    bytes: 3,
    durationMs: 4,
    read: vi.fn(() => Promise.resolve()),
    hold: () => Promise.resolve(nothing),
    land: () => Promise.resolve(),
    commit: vi.fn(),
  };
  const ends: string[] = [];
  const ground = {
    expected: () => nothing,
    transfer: () => transfer,
    onStored: vi.fn(),
    seize: () => Promise.resolve(),
    dropHedges: vi.fn(),
    onEnd: ({ state }) => void ends.push(state),
  } satisfies PieceGround;
  return { actor: new PieceActor(ground, lease(0, 2, 1)), transfer, ground, ends };
}

test('hedges are looked for only where one was begun', () => {
  const { actor, transfer, ground } = alone();
  actor.send({ type: 'slot.given' });
  actor.came(0, nothing, 1);
  expect(ground.dropHedges).not.toHaveBeenCalled();
  // It has none, so nothing takes its pieces away.
  actor.send({ type: 'hedge.proved' });
  expect(actor.state).toBe('running');
  actor.send({ type: 'hedge.begun', hedge: lease(1, 1, 2, true) });
  actor.came(1, nothing, 1);
  expect(ground.dropHedges).toHaveBeenCalledExactlyOnceWith(1);
  expect(transfer.commit).toHaveBeenCalledTimes(2);
});

test('a lease that has ended hears nothing more', async () => {
  const { actor, transfer, ends } = alone();
  actor.send({ type: 'slot.given' });
  await actor.ended;
  actor.came(0, nothing, 1);
  actor.send({ type: 'lease.dropped' });
  expect({ ends, bytes: actor.bytes, ms: actor.durationMs, aborted: actor.signal.aborted }).toEqual({
    ends: ['stored'],
    bytes: 3,
    ms: 4,
    aborted: false,
  });
  expect(transfer.commit).not.toHaveBeenCalled();
});
