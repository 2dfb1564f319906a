import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openOutput } from '../../app/output.ts';
import { tempDir } from '../support/temp-dir.ts';

const never = new AbortController().signal;
const content = randomBytes(3_500_000);

test('ranges copied while the file fills, in any order, make the whole', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content);
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', fresh: [[2_000_000, 3_500_000]] });
  output.follow({ path, revision: 'a.0', fresh: [] });
  output.follow({
    path,
    revision: 'a.0',
    fresh: [
      [0, 10],
      [10, 2_000_000],
    ],
  });
  await output.copyFrom(path, content.length, never, 'a.0');
  expect(readFileSync(output.path).equals(content)).toBe(true);
  expect(readdirSync(dir.path).sort()).toEqual(['cached', 'out']);
});

test('what was copied of a revision that proved wrong is not kept', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, Buffer.alloc(content.length, 1));
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', fresh: [[0, content.length]] });
  await expect.poll(() => readdirSync(dir.path).some((name) => name.startsWith('.out'))).toBe(true);
  writeFileSync(path, content);
  await output.copyFrom(path, content.length, never, 'a.1');
  expect(readFileSync(output.path).equals(content)).toBe(true);
});

test('ranges that were never told are copied at the end', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content);
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', fresh: [[0, 1_000_000]] });
  await output.copyFrom(path, content.length, never, 'a.0');
  expect(readFileSync(output.path).equals(content)).toBe(true);
});

test('a file that cannot be followed is no failure before its time', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', fresh: [[0, 10]] });
  writeFileSync(path, content);
  await output.copyFrom(path, content.length, never, 'a.0');
  expect(readFileSync(output.path).equals(content)).toBe(true);
});

test('a discarded output leaves nothing, whatever is still being copied', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, content);
  const output = openOutput(join(dir.path, 'out'));
  output.follow({ path, revision: 'a.0', fresh: [[0, content.length]] });
  output.discard();
  await expect.poll(() => readdirSync(dir.path)).toEqual(['cached']);
  expect(existsSync(join(dir.path, 'out'))).toBe(false);
});
