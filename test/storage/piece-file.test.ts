import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeRecord, PIECE_FILE_HEADER, RECORD_BYTES, scanPieceFile } from '../../storage/piece-file.ts';
import { parseMeta } from '../../storage/task-meta.ts';
import { contentOf, fill, openIn, sample, sha256, temporaryDir } from './support.ts';

const hashOf = (piece: number) => Buffer.from(sha256(Buffer.from(`piece ${piece}`)), 'hex');
const file = (pieces: readonly number[]) =>
  Buffer.concat([
    PIECE_FILE_HEADER,
    ...pieces.map((piece) => encodeRecord(piece, piece === 3 ? 0 : 100 + piece, hashOf(piece))),
  ]);

test('records come back as they were written', () => {
  const scan = scanPieceFile(file([0, 5, 3, 4_000_000_000]));
  expect(scan?.records.map(({ piece, length }) => [piece, length])).toEqual([
    [0, 100],
    [5, 105],
    [3, 0],
    [4_000_000_000, 4_000_000_100],
  ]);
  expect(scan).toMatchObject({ damaged: false, end: PIECE_FILE_HEADER.length + 4 * RECORD_BYTES });
});

test('a file cut at any offset keeps every whole record and no other', () => {
  const whole = file([1, 2, 4, 5]);
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const scan = scanPieceFile(whole.subarray(0, cut));
    if (cut < PIECE_FILE_HEADER.length) expect(scan).toBeUndefined();
    else {
      const count = Math.floor((cut - PIECE_FILE_HEADER.length) / RECORD_BYTES);
      expect(scan?.records.map(({ piece }) => piece)).toEqual([1, 2, 4, 5].slice(0, count));
      expect(scan?.damaged).toBe(false);
    }
  }
});

test('a bit flipped at any offset loses its own record, is noticed, and changes no other', () => {
  const whole = file([1, 2, 4]);
  for (let at = 0; at < whole.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      const scan = scanPieceFile(flipped);
      if (at < PIECE_FILE_HEADER.length) expect(scan).toBeUndefined();
      else {
        const lost = Math.floor((at - PIECE_FILE_HEADER.length) / RECORD_BYTES);
        expect(scan?.damaged).toBe(true);
        expect(scan?.records.map(({ piece }) => piece)).toEqual(
          [1, 2, 4].filter((_, index) => index !== lost),
        );
      }
    }
  }
});

test('no bytes make the reader throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      expect(scanPieceFile(bytes)).toBeUndefined();
      const scan = scanPieceFile(Buffer.concat([PIECE_FILE_HEADER, bytes]));
      expect(scan?.records).toEqual([]);
    }),
  );
});

test('no text makes the meta reader throw, and only a whole meta is one', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseMeta(text)).toBeUndefined();
    }),
  );
});

test('a store never serves a wrong byte, however its record file was cut or flipped', async () => {
  const dir = temporaryDir();
  const { content, record } = sample(10 * 1000 + 1, 1000);
  const first = await openIn(dir);
  const task = await first.create(record);
  fill(task, content);
  // Pieces 2 and 7 were taken back, and 7 was being overwritten: its bytes on disk are wrong.
  await task.drop([2, 7]);
  const data = openSync(task.path, 'r+');
  writeSync(data, Buffer.alloc(500, 1), 0, 500, 7000);
  closeSync(data);
  const pieces = join(dirname(task.path), 'pieces');
  await first.close();
  const good = readFileSync(pieces);
  const random = fc.sample(
    fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean()),
    { numRuns: 150, seed: 7 },
  );
  for (const [at, mask, cut] of random) {
    writeFileSync(pieces, good);
    if (cut) {
      // The tombstones are the last two records: a cut that takes them can only come with a loss of power.
      truncateSync(pieces, at);
    } else {
      const flipped = Buffer.from(good);
      flipped[at] = (flipped[at] ?? 0) ^ mask;
      writeFileSync(pieces, flipped);
    }
    const store = await openIn(dir, { bootId: cut ? `boot-${at}` : 'boot-1' });
    const again = await store.open(record.taskId);
    for (const piece of again?.have.ones() ?? []) {
      const end = Math.min(content.length, piece * 1000 + 1000);
      if (again === undefined) break;
      expect((await contentOf(again, piece * 1000, end)).equals(content.subarray(piece * 1000, end))).toBe(
        true,
      );
    }
    expect(again?.have.has(7)).toBe(false);
    await store.close();
  }
});

test('a torn record is cut away before the next one is written', async () => {
  const dir = temporaryDir();
  const { content, record } = sample(3000, 1000);
  const first = await openIn(dir);
  const task = await first.create(record);
  fill(task, content, 0, 1);
  const pieces = join(dirname(task.path), 'pieces');
  await first.close();
  appendFileSync(pieces, encodeRecord(1, 1000, hashOf(1)).subarray(0, 20));
  const second = await openIn(dir);
  const again = await second.open(record.taskId);
  expect([...(again?.have.ones() ?? [])]).toEqual([0]);
  if (again !== undefined) fill(again, content, 2, 1);
  await second.close();
  const third = await openIn(dir);
  expect([...((await third.open(record.taskId))?.have.ones() ?? [])]).toEqual([0, 2]);
  await third.close();
});
