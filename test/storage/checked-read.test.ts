import { openSync, truncateSync, unlinkSync, writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { toShoalError } from '../../core/errors.ts';
import type { StoredTask } from '../../storage/store.ts';
import { contentOf, KIB, openIn, PIECE, stored, temporaryDir } from './support.ts';

async function content(bytes: number, pieceLength = PIECE) {
  const store = await openIn(temporaryDir());
  return stored(store, bytes, pieceLength);
}

/** Flips one bit of the data file, as a bad disk does: nobody here is told. */
function flip({ path }: StoredTask, at: number, byte: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from([byte ^ 1]), 0, 1, at);
}

async function failure(reading: Promise<unknown>): Promise<{ code: string; piece: unknown }> {
  try {
    await reading;
  } catch (thrown) {
    const { code, details } = toShoalError(thrown);
    return { code, piece: details['piece'] };
  }
  throw new Error('nothing was thrown');
}

describe.each([
  ['shorter than a buffer', PIECE],
  ['as long as two blocks', 512 * KIB],
  ['longer than any buffer', 1024 * KIB],
])('pieces %s', (_, pieceLength) => {
  test('any range is what was written', async () => {
    const { task, content: bytes } = await content(4 * pieceLength + 777, pieceLength);
    const ranges = [
      [0, bytes.length],
      [1, 2],
      [pieceLength - 1, pieceLength + 1],
      [pieceLength + 5, 3 * pieceLength - 9],
      [4 * pieceLength + 700, bytes.length],
    ] as const;
    for (const [start, end] of ranges) {
      expect((await contentOf(task, start, end)).equals(bytes.subarray(start, end))).toBe(true);
    }
    const buffer = Buffer.alloc(700);
    expect(await task.checked().read(buffer, bytes.length)).toBe(0);
  });

  test('one flipped bit fails its piece, and no other', async () => {
    const { task, content: bytes } = await content(4 * pieceLength, pieceLength);
    const at = 2 * pieceLength + 300;
    flip(task, at, bytes[at] ?? 0);
    expect(await failure(contentOf(task))).toEqual({ code: 'ERR_STORE_CORRUPT', piece: 2 });
    // Not even a range of the piece that misses the bit is given.
    expect(await failure(contentOf(task, 3 * pieceLength - 4, 3 * pieceLength))).toEqual({
      code: 'ERR_STORE_CORRUPT',
      piece: 2,
    });
    expect((await contentOf(task, 0, 2 * pieceLength)).equals(bytes.subarray(0, 2 * pieceLength))).toBe(true);
  });

  test('a file that was cut fails the piece where it ends', async () => {
    const { task } = await content(4 * pieceLength, pieceLength);
    truncateSync(task.path, 3 * pieceLength + 100);
    expect(await failure(contentOf(task))).toEqual({ code: 'ERR_STORE_CORRUPT', piece: 3 });
  });
});

test('a bit that flips between the proof of a long piece and its reading is seen', async () => {
  const pieceLength = 1024 * KIB;
  const { task, content: bytes } = await content(pieceLength, pieceLength);
  const reader = task.checked();
  const buffer = Buffer.alloc(256 * KIB);
  expect(await reader.read(buffer, 0)).toBe(buffer.length);
  const at = 600 * KIB;
  flip(task, at, bytes[at] ?? 0);
  expect(await reader.read(buffer, 256 * KIB)).toBe(buffer.length);
  expect(await failure(reader.read(buffer, 512 * KIB))).toEqual({ code: 'ERR_STORE_CORRUPT', piece: 0 });
});

test('a file deleted under an open store is still read, or fails; it never gives other bytes', async () => {
  const { task, content: bytes } = await content(3 * PIECE);
  unlinkSync(task.path);
  const given = await contentOf(task).catch(() => undefined);
  if (given !== undefined) expect(given.equals(bytes)).toBe(true);
});
