import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import { PieceSink } from '../../../../actors/host/piece/sink.ts';
import type { HostId, TaskId } from '../../../../core/ids.ts';
import { pieceCount, pieceOffset, pieceSize } from '../../../../core/piece.ts';
import type { Parent } from '../../../../core/sync-messages.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

const taskId = `url-${'0'.repeat(64)}` as TaskId;
const parent = 'a'.repeat(32) as HostId;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** Bytes that differ from piece to piece. */
function sample(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8) * 13 + 1) % 251);
}

interface Ground {
  readonly length: number | undefined;
  readonly pieceLength: number;
  readonly bytes: Uint8Array;
}

/** An empty memory store, the content of one task in it, and the hashes its pieces must have. */
async function world({ length, pieceLength, bytes }: Ground) {
  const store = createMemoryStore({ clock: { wall: () => 0 } });
  const content = new PeerContent(store, taskId, [], 'life');
  await content.learn(length, pieceLength);
  const { stored } = content;
  if (stored === undefined) throw new Error('the store made nothing');
  const geometry = { length: bytes.length, pieceLength };
  const partOf = (piece: number) => {
    const start = pieceOffset(geometry, piece);
    return bytes.subarray(start, start + pieceSize(geometry, piece));
  };
  const pieces = pieceCount(geometry);
  for (let piece = 0; piece < pieces; piece += 1) content.expect(piece, sha256(partOf(piece)));
  const recorded: number[] = [];
  const passed = { bytes: 0 };
  const sink = (first: number, count: number, from: Parent = parent) =>
    new PieceSink({
      content,
      stored,
      pieceLength,
      parent: from,
      first,
      count,
      onBytes: (came) => {
        passed.bytes += came;
      },
      onStored: (piece, hash, size) => {
        expect(stored.have.has(piece)).toBe(true);
        expect(Buffer.compare(hash, sha256(partOf(piece)))).toBe(0);
        expect(size).toBe(partOf(piece).length);
        recorded.push(piece);
      },
    });
  const hold = async (piece: number) => {
    const writer = stored.writer(piece, 1, (index, hash, size) => stored.commit(index, hash, size));
    await writer.write(partOf(piece));
  };
  const read = async (piece: number) => {
    const buffer = new Uint8Array(partOf(piece).length);
    await stored.read(buffer, pieceOffset(geometry, piece));
    return buffer;
  };
  return { content, stored, pieces, partOf, recorded, passed, sink, hold, read };
}

/** The bytes cut at these places. */
function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end));
}

async function feed(sink: PieceSink, chunks: readonly Uint8Array[]): Promise<unknown> {
  try {
    for (const chunk of chunks) await sink.write(chunk);
  } catch (error) {
    return error;
  }
  return undefined;
}

const story = fc.record({
  length: fc.integer({ min: 1, max: 600 }),
  pieceLength: fc.integer({ min: 1, max: 96 }),
  from: fc.nat(),
  count: fc.nat(),
  cuts: fc.array(fc.nat({ max: 700 }), { maxLength: 12 }),
  held: fc.array(fc.nat({ max: 40 }), { maxLength: 5 }),
  corrupt: fc.option(fc.nat(), { nil: undefined }),
});

test('however a run is cut into chunks, its pieces are recorded, each once, in order, and a corrupt one never', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ length, pieceLength, from, count, cuts, held, corrupt }) => {
      const bytes = sample(length);
      const ground = await world({ length, pieceLength, bytes });
      const { pieces, partOf, stored } = ground;
      const first = from % pieces;
      const run = 1 + (count % (pieces - first));
      const before = new Set(held.map((piece) => piece % pieces));
      for (const piece of before) await ground.hold(piece);
      const all = Array.from({ length: run }, (_, index) => first + index);
      const missing = all.filter((piece) => !before.has(piece));
      const bad = corrupt === undefined ? undefined : missing[corrupt % Math.max(1, missing.length)];

      const sent = Buffer.concat(
        all.map((piece) => {
          const part = Uint8Array.from(partOf(piece));
          // What is there already is passed over, whatever comes for it.
          if (before.has(piece)) part.fill(0xee);
          if (piece === bad) part[part.length - 1] = (part.at(-1) ?? 0) ^ 1;
          return part;
        }),
      );
      const sink = ground.sink(first, run);
      const error = await feed(sink, cut(sent, cuts));
      sink.abandon('unreachable');

      const good = bad === undefined ? missing : missing.filter((piece) => piece < bad);
      expect(ground.recorded).toEqual(good);
      expect([...stored.have.ones()]).toEqual([...new Set([...before, ...good])].sort((a, b) => a - b));
      for (const piece of stored.have.ones()) {
        expect(Buffer.compare(await ground.read(piece), partOf(piece))).toBe(0);
      }
      if (bad === undefined) {
        expect(error).toBeUndefined();
        expect(ground.passed.bytes).toBe(sent.length);
        expect(sink.position).toBe(first * pieceLength + sent.length);
      } else {
        expect(error).toMatchObject({ code: 'ERR_PIECE_CORRUPT', details: { piece: bad, parent } });
      }
    }),
    { numRuns: 200 },
  );
});

test('a piece that proved corrupt can be written anew by another run', async () => {
  const bytes = sample(30);
  const { sink, partOf, recorded, stored } = await world({ length: 30, pieceLength: 10, bytes });
  const wrong = Uint8Array.from(partOf(1)).fill(0);
  expect(await feed(sink(1, 1), [wrong])).toMatchObject({ code: 'ERR_PIECE_CORRUPT' });
  expect(stored.have.count).toBe(0);
  expect(await feed(sink(1, 1), [partOf(1)])).toBeUndefined();
  expect(recorded).toEqual([1]);
});

test('a piece whose stream broke off is not recorded, and the next run writes it from its start', async () => {
  const bytes = sample(30);
  const { sink, partOf, recorded, read } = await world({ length: 30, pieceLength: 10, bytes });
  const broken = sink(0, 2);
  await broken.write(bytes.subarray(0, 15));
  broken.abandon('stalled');
  expect(recorded).toEqual([0]);
  await sink(1, 1).write(partOf(1));
  expect(recorded).toEqual([0, 1]);
  expect(Buffer.compare(await read(1), partOf(1))).toBe(0);
});

test('an origin is believed whatever hash was known', async () => {
  const bytes = sample(20);
  const { content, sink, recorded } = await world({ length: 20, pieceLength: 10, bytes });
  content.expect(0, new Uint8Array(32).fill(9));
  await sink(0, 2, 'origin').write(bytes);
  expect(recorded).toEqual([0, 1]);
});

test('a host is not believed about a piece whose hash nobody knows', async () => {
  const bytes = sample(10);
  const { content, sink, stored } = await world({ length: 10, pieceLength: 10, bytes });
  content.expectAll([{ piece: 0, hash: new Uint8Array(32) }]);
  expect(content.expected(0)).toBeUndefined();
  const error = await feed(sink(0, 1), [bytes]);
  expect(error).toMatchObject({ code: 'ERR_PIECE_HASH_UNKNOWN' });
  expect(stored.have.count).toBe(0);
});

test('a hash that is withdrawn or replaced while its bytes are on their way counts at the verdict', async () => {
  const bytes = sample(30);
  const { content, sink, partOf, recorded } = await world({ length: 30, pieceLength: 10, bytes });
  content.expect(0, new Uint8Array(32).fill(9));
  const run = sink(0, 3);
  await run.write(bytes.subarray(0, 5));
  content.expect(0, sha256(partOf(0)));
  await run.write(bytes.subarray(5, 15));
  expect(recorded).toEqual([0]);
  content.expectAll([{ piece: 1, hash: new Uint8Array(32) }]);
  expect(await feed(run, [bytes.subarray(15)])).toMatchObject({ code: 'ERR_PIECE_HASH_UNKNOWN' });
  expect(recorded).toEqual([0]);
});

test('bytes beyond the end of the content are refused', async () => {
  const bytes = sample(15);
  const { sink, recorded } = await world({ length: 15, pieceLength: 10, bytes });
  const error = await feed(sink(0, 2), [bytes, new Uint8Array(1)]);
  expect(error).toBeInstanceOf(RangeError);
  expect(recorded).toEqual([0, 1]);
});

test('content of unknown length ends with its stream, in the middle of a piece or at the end of one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.nat({ max: 200 }), { maxLength: 6 }),
      async (length, pieceLength, cuts) => {
        const bytes = sample(length);
        const ground = await world({ length: undefined, pieceLength, bytes });
        const sink = ground.sink(0, 4096, 'origin');
        expect(await feed(sink, cut(bytes, cuts))).toBeUndefined();
        await sink.end();
        expect(sink.position).toBe(length);
        expect(ground.recorded).toEqual(Array.from({ length: ground.pieces }, (_, piece) => piece));
        await ground.stored.setLength(length);
        for (let piece = 0; piece < ground.pieces; piece += 1) {
          expect(Buffer.compare(await ground.read(piece), ground.partOf(piece))).toBe(0);
        }
      },
    ),
    { numRuns: 25 },
  );
});
