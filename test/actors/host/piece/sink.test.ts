import fc from 'fast-check';
import { expect, test } from 'vitest';
import { host, lease, pieceGround, sample, settle } from './ground.ts';

type Ground = Awaited<ReturnType<typeof pieceGround>>;

/** The bytes cut at these places. */
function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end));
}

/** Leases a run, and gives these chunks for it. */
async function feed({ book, fetches, ended }: Ground, first: number, count: number, chunks: Uint8Array[]) {
  const before = ended.length;
  book.replace([lease(first, count, 1)]);
  const fetch = fetches.at(-1);
  for (const chunk of chunks) if (ended.length === before) await fetch?.give(chunk);
  await fetch?.end();
  return ended.at(-1);
}

/** The origin answers with these chunks. */
async function stream({ book, ended }: Ground, count: number, chunks: readonly Uint8Array[]) {
  const pump = async (sink: (chunk: Uint8Array) => void | Promise<void>) => {
    for (const chunk of chunks) await sink(chunk);
    return 0;
  };
  const run = { first: 0, count, from: 'origin' as const, hedge: false };
  book.open(run, { start: 0, end: undefined, pump, discard() {} });
  while (ended.length === 0) await settle();
  return ended.at(-1);
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
      const ground = await pieceGround({ bytes: sample(length), pieceLength });
      const { pieces, partOf, stored } = ground;
      const first = from % pieces;
      const run = 1 + (count % (pieces - first));
      const last = first + run - 1;
      // The ends of a run that are there already are cut off before it begins.
      const before = new Set(
        held.map((piece) => piece % pieces).filter((piece) => piece !== first && piece !== last),
      );
      for (const piece of before) await feed(ground, piece, 1, [partOf(piece)]);
      const all = Array.from({ length: run }, (_, index) => first + index);
      const missing = all.filter((piece) => !before.has(piece));
      const bad = corrupt === undefined ? undefined : missing[corrupt % missing.length];
      const sent = Buffer.concat(
        all.map((piece) => {
          const part = Uint8Array.from(partOf(piece));
          // What is there already is passed over, whatever comes for it.
          if (before.has(piece)) part.fill(0xee);
          if (piece === bad) part[part.length - 1] = (part.at(-1) ?? 0) ^ 1;
          return part;
        }),
      );
      ground.recorded.length = 0;
      ground.passed.bytes = 0;
      const end = await feed(ground, first, run, cut(sent, cuts));

      const good = bad === undefined ? missing : missing.filter((piece) => piece < bad);
      expect(ground.recorded).toEqual(good);
      expect([...stored.have.ones()]).toEqual([...new Set([...before, ...good])].sort((a, b) => a - b));
      for (const piece of stored.have.ones()) {
        expect(Buffer.compare(await ground.read(piece), partOf(piece))).toBe(0);
      }
      if (bad === undefined) {
        expect(end?.state).toBe('stored');
        expect(ground.passed.bytes).toBe(sent.length);
      } else {
        expect(end).toMatchObject({ state: 'failed', details: { piece: bad, parent: host(1).hostId } });
      }
    }),
    { numRuns: 200 },
  );
});

test('a piece that proved corrupt can be written anew by another run', async () => {
  const ground = await pieceGround();
  const wrong = Uint8Array.from(ground.partOf(1)).fill(0);
  expect(await feed(ground, 1, 1, [wrong])).toMatchObject({ reason: 'corrupt' });
  expect(ground.stored.have.count).toBe(0);
  expect(await feed(ground, 1, 1, [ground.partOf(1)])).toMatchObject({ state: 'stored' });
  expect(ground.recorded).toEqual([1]);
});

test('a piece whose stream broke off is not recorded, and the next run writes it from its start', async () => {
  const ground = await pieceGround();
  const { partOf, recorded, read } = ground;
  await feed(ground, 0, 2, [partOf(0), partOf(1).subarray(0, 5)]);
  expect(recorded).toEqual([0]);
  await feed(ground, 1, 1, [partOf(1)]);
  expect(recorded).toEqual([0, 1]);
  expect(Buffer.compare(await read(1), partOf(1))).toBe(0);
});

test('a host is not believed about a piece whose hash nobody knows', async () => {
  const ground = await pieceGround();
  ground.content.expectAll([{ piece: 0, hash: new Uint8Array(32) }]);
  expect(await feed(ground, 0, 1, [ground.partOf(0)])).toMatchObject({ state: 'dropped', reason: undefined });
  expect(ground.stored.have.count).toBe(0);
});

test('a hash that is replaced while its bytes are on their way counts at the verdict', async () => {
  const { book, content, partOf, fetches, recorded } = await pieceGround();
  const right = content.expected(0);
  content.expect(0, new Uint8Array(32).fill(9));
  book.replace([lease(0, 1, 1)]);
  await fetches[0]?.give(partOf(0).subarray(0, 5));
  if (right !== undefined) content.expect(0, right);
  await fetches[0]?.give(partOf(0).subarray(5));
  expect(recorded).toEqual([0]);
});

test('bytes beyond the end of the content are refused', async () => {
  const ground = await pieceGround({ bytes: sample(15) });
  expect(await feed(ground, 0, 2, [ground.partOf(0), ground.partOf(1), new Uint8Array(1)])).toMatchObject({
    state: 'failed',
    reason: 'protocol',
  });
  expect(ground.recorded).toEqual([0, 1]);
});

test('content of unknown length ends with its stream, in the middle of a piece or at the end of one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.nat({ max: 200 }), { maxLength: 6 }),
      async (length, pieceLength, cuts) => {
        const bytes = sample(length);
        const ground = await pieceGround({ bytes, length: undefined, pieceLength });
        ground.content.ranges = false;
        expect(await stream(ground, 4096, cut(bytes, cuts))).toMatchObject({ state: 'stored' });
        expect(ground.content.length).toBe(length);
        expect(ground.recorded).toEqual(Array.from({ length: ground.pieces }, (_, piece) => piece));
        for (let piece = 0; piece < ground.pieces; piece += 1) {
          expect(Buffer.compare(await ground.read(piece), ground.partOf(piece))).toBe(0);
        }
      },
    ),
    { numRuns: 25 },
  );
});

test('content of unknown length whose last piece cannot be recorded is not given a length', async () => {
  const bytes = sample(25);
  const ground = await pieceGround({ bytes, length: undefined });
  ground.content.ranges = false;
  const commit = ground.stored.commit.bind(ground.stored);
  ground.stored.commit = (piece, hash, length) => {
    if (piece === 2) throw new Error('no space');
    commit(piece, hash, length);
  };
  expect(await stream(ground, 4096, [bytes])).toMatchObject({ state: 'failed' });
  expect({ recorded: ground.recorded, length: ground.content.length }).toEqual({
    recorded: [0, 1],
    length: undefined,
  });
});
