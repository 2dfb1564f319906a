import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const CACHE = `dist/shoal-${process.version}-${process.arch}.cache`;
const version = (root: string) => spawnSync(process.execPath, [join(root, 'bin/shoal'), '--version']);

test('what V8 compiled at the build is taken by the Node that built it', () => {
  const probe = `
    const { Script } = require('node:vm');
    const { readFileSync } = require('node:fs');
    const source = readFileSync('dist/shoal.cjs', 'latin1');
    const script = new Script(source, { filename: 'x', cachedData: readFileSync('${CACHE}') });
    process.exitCode = script.cachedDataRejected ? 1 : 0;`;
  expect(spawnSync(process.execPath, ['-e', probe], { cwd: ROOT }).status).toBe(0);
});

test('the command runs the same where that is missing, cut short or of another Node', async () => {
  await using temporary = await tempDir();
  const copy = temporary.path;
  for (const part of ['bin/shoal', 'dist/shoal.cjs', 'package.json']) {
    mkdirSync(join(copy, part, '..'), { recursive: true });
    cpSync(join(ROOT, part), join(copy, part));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const expected = version(ROOT).stdout.toString();
  expect(expected).toMatch(/^\d+\.\d+\.\d+\n$/);
  for (const cache of [undefined, Buffer.alloc(0), Buffer.alloc(100), Buffer.alloc(700_000, 0x5a)]) {
    if (cache !== undefined) writeFileSync(join(copy, CACHE), cache);
    const ran = version(copy);
    expect({ out: ran.stdout.toString(), err: ran.stderr.toString() }).toEqual({ out: expected, err: '' });
  }
});

test('without a build it says how to make one', async () => {
  await using temporary = await tempDir();
  mkdirSync(join(temporary.path, 'bin'));
  cpSync(join(ROOT, 'bin/shoal'), join(temporary.path, 'bin/shoal'));
  writeFileSync(join(temporary.path, 'package.json'), '{"type":"module"}');
  const ran = version(temporary.path);
  expect(ran.status).toBe(1);
  expect(ran.stderr.toString()).toContain('npm run build');
});
