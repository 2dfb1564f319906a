import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openOutput } from '../../app/output.ts';
import { hashesOf } from '../support/piece-hashes.ts';
import { tempDir } from '../support/temp-dir.ts';

const never = new AbortController().signal;
const PIECE = 500_000;
const content = randomBytes(7 * PIECE);

function cached(path: string, revision?: string) {
  return { path, revision, length: content.length, pieces: hashesOf(content, PIECE) };
}

test('ranges copied while the file fills, in any order, make the whole', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content);
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [[2_000_000, 3_500_000]] });
  output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [] });
  output.follow({
    path,
    revision: 'a.0',
    pieceBytes: PIECE,
    fresh: [
      [0, PIECE],
      [PIECE, 2_000_000],
    ],
  });
  await output.copyFrom(cached(path, 'a.0'), never);
  expect(readFileSync(output.path).equals(content)).toBe(true);
  expect(readdirSync(dir.path).sort()).toEqual(['cached', 'out']);
});

test('what was copied of a revision that proved wrong is not kept', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, Buffer.alloc(content.length, 1));
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [[0, content.length]] });
  await expect.poll(() => readdirSync(dir.path).some((name) => name.startsWith('.out'))).toBe(true);
  writeFileSync(path, content);
  await output.copyFrom(cached(path, 'a.1'), never);
  expect(readFileSync(output.path).equals(content)).toBe(true);
});

test('ranges that were never told are copied at the end', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content);
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [[0, 1_000_000]] });
  await output.copyFrom(cached(path, 'a.0'), never);
  expect(readFileSync(output.path).equals(content)).toBe(true);
});

test('a file that cannot be followed is no failure before its time', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [[0, PIECE]] });
  writeFileSync(path, content);
  await output.copyFrom(cached(path, 'a.0'), never);
  expect(readFileSync(output.path).equals(content)).toBe(true);
});

test('a discarded output leaves nothing, whatever is still being copied', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content);
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [[0, content.length]] });
  output.discard();
  await expect.poll(() => readdirSync(dir.path)).toEqual(['cached']);
  expect(existsSync(join(dir.path, 'out'))).toBe(false);
});

test.each([
  ['after it was copied', 'followed'],
  ['in a file that was there before', 'whole'],
])('one flipped bit %s is seen, and no file appears', async (_, how) => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  const flipped = Buffer.from(content);
  flipped[5 * PIECE + 3] = (flipped[5 * PIECE + 3] ?? 0) ^ 1;
  writeFileSync(path, flipped);
  const output = openOutput(join(dir.path, 'out'));
  if (how === 'followed') {
    output.follow({ path, revision: 'a.0', pieceBytes: PIECE, fresh: [[0, content.length]] });
  }
  const details = { source: true };
  await expect(output.copyFrom(cached(path, 'a.0'), never)).rejects.toMatchObject({ details });
  expect(readdirSync(dir.path)).toEqual(['cached']);
});

test('a file that was cut is no source', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content.subarray(0, 6 * PIECE + 5));
  const output = openOutput(join(dir.path, 'out'));
  await expect(output.copyFrom(cached(path), never)).rejects.toMatchObject({ details: { source: true } });
  expect(readdirSync(dir.path)).toEqual(['cached']);
});
