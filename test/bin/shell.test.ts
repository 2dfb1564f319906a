import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SHELLS } from '../../bin/completion.ts';
import { SHOAL } from '../support/child.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

const [node = '', script = ''] = SHOAL;

function shoal(...args: string[]): string {
  return execFileSync(node, [script, ...args], { encoding: 'utf8' });
}

let temp: TempDir;
const scripts = new Map<string, string>();

beforeAll(async () => {
  temp = await tempDir();
  for (const shell of SHELLS) {
    const path = join(temp.path, `shoal.${shell}`);
    writeFileSync(path, shoal('completion', shell));
    scripts.set(shell, path);
  }
});

afterAll(async () => {
  await temp[Symbol.asyncDispose]();
});

/** What the shell itself offers after these words, the last of which is being typed. */
function offered(shell: (typeof SHELLS)[number], ...words: string[]): string[] {
  const path = scripts.get(shell) ?? '';
  const run = { bash: inBash, zsh: inZsh, fish: inFish }[shell](path, words);
  const { stdout, stderr, status } = spawnSync(shell, run, { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.split('\n').filter(Boolean).sort();
}

function inBash(path: string, words: readonly string[]): string[] {
  const typed = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shoal; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return ['--norc', '-c', typed, 'bash', path, ...words];
}

/** zsh completes in a terminal alone: what it would show is printed in its place. */
function inZsh(path: string, words: readonly string[]): string[] {
  const typed = `compdef() { }
_describe() { local list=$argv[-1]; print -l -- \${\${(P)list}%%:*} | grep -e "^$words[CURRENT]" || true }
_files() { }
source $1; shift; words=("$@"); CURRENT=$#; _shoal`;
  return ['-f', '-c', typed, 'zsh', path, ...words];
}

function inFish(path: string, words: readonly string[]): string[] {
  const typed = words.join(' ').replaceAll("'", "\\'");
  return ['--no-config', '-c', `source ${path}; complete -C '${typed}' | string replace -r '\\t.*' ''; true`];
}

describe.each(SHELLS)('the completion of %s', (shell) => {
  test.each([
    [['shoal', 'ta'], ['task']],
    [
      ['shoal', 'task', ''],
      ['history', 'ls', 'rm', 'show'],
    ],
    [['shoal', 'task', 'ls', '--js'], ['--json']],
    [['shoal', 'get', '--dig'], ['--digest']],
    [['shoal', 'get', '--quiet', 'https://example.org/x', '--max'], ['--max-stale']],
    [['shoal', 'completion', ''], [...SHELLS].sort()],
    [['shoal', 'configure', '--nothing-such'], []],
  ])('after %j: %j', (words, expected) => {
    expect(offered(shell, ...words).filter((word) => !word.startsWith('-') || words.at(-1) !== '')).toEqual(
      expected,
    );
  });
});

test('another shell is refused, with those that there are', () => {
  const { status, stderr } = spawnSync(node, [script, 'completion', 'nush'], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain('bash, zsh, fish');
});

describe('the manual pages', () => {
  test('there is one for each command, and troff has nothing to say of any', () => {
    const folder = join(temp.path, 'man1');
    shoal('man', '--out', folder);
    const pages = readdirSync(folder);
    expect(pages).toEqual(expect.arrayContaining(['shoal.1', 'shoal-get.1', 'shoal-task-ls.1']));
    for (const page of pages) {
      const { stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Kutf8', '-Tutf8', join(folder, page)], {
        encoding: 'utf8',
      });
      expect(stderr, page).toBe('');
      expect(stdout.length, page).toBeGreaterThan(200);
      for (const [, other] of readFileSync(join(folder, page), 'utf8').matchAll(
        /\\fB(shoal[^\\]*(?:\\-[^\\]*)*)\\fR\(1\)/g,
      )) {
        expect(pages).toContain(`${other?.replaceAll('\\-', '-')}.1`);
      }
    }
  });

  test('a page says what the help says, with its examples and exit codes', () => {
    const page = shoal('man', 'get');
    const text = page.replaceAll('\\-', '-');
    expect(text).toContain('get a file');
    expect(text).toContain('--max-stale <D>');
    expect(text).toContain('$ shoal get https://example.org/big.tar -o big.tar');
    expect(text).toContain('digest mismatch');
    expect(shoal('man', 'shoal', 'get')).toBe(page);
  });

  test('a command that there is not is a usage error', () => {
    const { status, stderr } = spawnSync(node, [script, 'man', 'nothing'], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toContain('there is no command `shoal nothing`');
  });
});
