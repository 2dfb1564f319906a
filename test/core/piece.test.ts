import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../../core/limits.ts';
import {
  isGeometry,
  pieceCount,
  pieceLengthFor,
  pieceOffset,
  pieceSize,
  runBytes,
} from '../../core/piece.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

test.each([
  [0, 128 * KIB],
  [1, 128 * KIB],
  [64 * MIB, 128 * KIB],
  [64 * MIB + 1, 256 * KIB],
  [1024 * MIB, 2 * MIB],
  [8192 * MIB, 16 * MIB],
  [8192 * MIB + 1, 16 * MIB],
  [4 * 1024 * 1024 * MIB, 16 * MIB],
  [undefined, 4 * MIB],
])('content of %s bytes is cut in pieces of %i', (length, piece) => {
  expect(pieceLengthFor(length)).toBe(piece);
});

test('a piece is the smallest power of two that makes 512 pieces at most, within its bounds', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 42 }), (length) => {
      const piece = pieceLengthFor(length);
      expect(Number.isInteger(Math.log2(piece))).toBe(true);
      expect(piece).toBeGreaterThanOrEqual(LIMITS.pieceMinBytes);
      expect(piece).toBeLessThanOrEqual(LIMITS.pieceMaxBytes);
      if (piece < LIMITS.pieceMaxBytes) expect(Math.ceil(length / piece)).toBeLessThanOrEqual(512);
      if (piece > LIMITS.pieceMinBytes) expect(Math.ceil(length / (piece / 2))).toBeGreaterThan(512);
    }),
  );
});

test('the largest content has as many pieces as a task may have', () => {
  const length = LIMITS.piecesPerTask * LIMITS.pieceMaxBytes;
  expect(pieceCount({ length, pieceLength: pieceLengthFor(length) })).toBe(LIMITS.piecesPerTask);
});

const geometry = fc.record({
  length: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 2 ** 42 })),
  pieceLength: fc.integer({ min: 1, max: 64 }).map((factor) => factor * 7),
});

test('pieces lie end to end and cover the content, and only the last may be shorter', () => {
  fc.assert(
    fc.property(geometry, (cut) => {
      const count = pieceCount(cut);
      if (cut.length === 0) {
        expect(count).toBe(0);
        return;
      }
      expect(pieceOffset(cut, count - 1) + pieceSize(cut, count - 1)).toBe(cut.length);
      expect(pieceSize(cut, count - 1)).toBeGreaterThan(0);
      if (count > 1) expect(pieceSize(cut, 0)).toBe(cut.pieceLength);
    }),
  );
});

test('a run has as many bytes as its pieces', () => {
  const small = fc.record({
    length: fc.integer({ min: 1, max: 500 }),
    pieceLength: fc.integer({ min: 1, max: 64 }),
  });
  fc.assert(
    fc.property(small, fc.nat(), fc.nat(), (cut, a, b) => {
      const count = pieceCount(cut);
      const first = a % count;
      const run = 1 + (b % (count - first));
      let bytes = 0;
      for (let piece = first; piece < first + run; piece += 1) bytes += pieceSize(cut, piece);
      expect(runBytes(cut, first, run)).toBe(bytes);
      // A run that says it goes beyond the end ends with the content.
      expect(runBytes(cut, first, count + 5)).toBe(cut.length - pieceOffset(cut, first));
    }),
  );
});

test.each([
  [{}, true],
  [{ length: 2 ** 52 }, true],
  [{ pieceLength: 1 }, true],
  [{ length: 0, pieceLength: 1 }, true],
  [{ length: LIMITS.piecesPerTask, pieceLength: 1 }, true],
  [{ length: LIMITS.piecesPerTask + 1, pieceLength: 1 }, false],
  [{ length: LIMITS.piecesPerTask * 4096, pieceLength: 4096 }, true],
  [{ length: LIMITS.piecesPerTask * 4096 + 1, pieceLength: 4096 }, false],
  [{ length: 5, pieceLength: 0 }, false],
  [{ length: 5, pieceLength: 0.5 }, false],
  [{ length: 5, pieceLength: -2 }, false],
  [{ length: 5, pieceLength: 3 }, false],
  [{ length: -1, pieceLength: 4 }, false],
  [{ length: Number.NaN, pieceLength: 4 }, false],
  [{ length: 5, pieceLength: Number.NaN }, false],
  [{ length: 5, pieceLength: Number.POSITIVE_INFINITY }, false],
])('content cut as %j is possible: %s', (cut, possible) => {
  expect(isGeometry(cut)).toBe(possible);
});

test('every cut that this code makes is possible, and has no more pieces than a task may have', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 42 }), (length) => {
      const cut = { length, pieceLength: pieceLengthFor(length) };
      expect(isGeometry(cut)).toBe(true);
      expect(pieceCount(cut)).toBeLessThanOrEqual(LIMITS.piecesPerTask);
    }),
  );
});
