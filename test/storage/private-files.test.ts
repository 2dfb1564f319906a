import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDir, replaceFile } from '../../storage/private-files.ts';
import { temporaryDir } from './support.ts';

test('a directory is made with all above it, and is left alone where it is', () => {
  const dir = temporaryDir();
  makeDir(join(dir, 'a/b/c'));
  makeDir(join(dir, 'a/b/c'));
  expect(statSync(join(dir, 'a/b/c')).isDirectory()).toBe(true);
});

test.each([
  ['below /proc, where nothing can be made', () => '/proc/nowhere/a/b'],
  [
    'below a file',
    () => {
      const dir = temporaryDir();
      writeFileSync(join(dir, 'file'), '');
      return join(dir, 'file/a');
    },
  ],
  [
    'where a file is',
    () => {
      const dir = temporaryDir();
      writeFileSync(join(dir, 'file'), '');
      return join(dir, 'file');
    },
  ],
])('a directory %s is an error at once', (_, path) => {
  expect(() => makeDir(path())).toThrow(/ENOENT|ENOTDIR|EEXIST|EACCES|EPERM/);
});

test('a replaced file has its mode and content, and a link at the temporary name is not followed', () => {
  const dir = temporaryDir();
  const path = join(dir, 'host.json');
  symlinkSync(join(dir, 'elsewhere'), `${path}.tmp`);
  replaceFile(path, 'secret', 0o600);
  replaceFile(path, 'secret 2', 0o600);
  expect(existsSync(join(dir, 'elsewhere'))).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('secret 2');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a directory at the temporary name does not stop it', () => {
  const path = join(temporaryDir(), 'host.json');
  mkdirSync(`${path}.tmp/full`, { recursive: true });
  replaceFile(path, 'x', 0o600);
  expect(readFileSync(path, 'utf8')).toBe('x');
});
