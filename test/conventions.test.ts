import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const HERE = 'test/conventions.test.ts';
const MAX_LINES = 400;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)));
const sources = files.filter((path) => /\.m?ts$/.test(path) && path !== HERE);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** The code alone: comments and the text of strings are blanked, lines stay where they are. */
function codeOf(text: string): string {
  const blank = (part: string) => part.replace(/[^\n]/g, ' ');
  return text.replace(
    /\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g,
    blank,
  );
}

/** Every place of a pattern in these files, as `path:line: what`. */
function places(paths: readonly string[], pattern: RegExp, of: (text: string) => string): string[] {
  return paths.flatMap((path) =>
    of(read(path))
      .split('\n')
      .flatMap((line, index) => {
        const match = pattern.exec(line);
        return match === null ? [] : [`${path}:${index + 1}: ${match[0]}`];
      }),
  );
}

describe('time and chance are handed in', () => {
  /** Virtual time must let the machine's own work through before it jumps. */
  const virtualTime = 'sim/clock.ts';
  /** XState's word for a method of the clock that is handed in. */
  const xstateClock = 'actors/xstate-clock.ts';
  const pure = sources.filter(
    (path) =>
      /^(core|scheduling|machines|actors|sim)\//.test(path) && path !== virtualTime && path !== xstateClock,
  );

  // A date made of a time that was handed in is no clock.
  test.each([
    [
      'clocks of the machine',
      /\bDate\s*\.\s*now\b|\bnew Date\b(?!\(\w)|(?<!new )\bDate\(|\bperformance\b|\bhrtime\b/,
    ],
    [
      'timers of the machine',
      /\b(?:set(?:Timeout|Interval|Immediate)|nextTick|queueMicrotask)\b|AbortSignal\.timeout/,
    ],
    [
      'randomness of the machine',
      /\bMath\s*\.\s*random\b|\b(?:randomBytes|randomUUID|randomFill|getRandomValues)\b/,
    ],
  ])('core/, scheduling/, machines/, actors/ and sim/ use no %s', (_, pattern) => {
    expect(pure.length).toBeGreaterThan(50);
    expect(places(pure, pattern, codeOf)).toEqual([]);
  });

  test('none of them is imported either', () => {
    expect(places(pure, /from '(?:node:)?(?:timers|perf_hooks)[^']*'/, (text) => text)).toEqual([]);
  });
});

test(`no file outside test/ and bench/ is longer than ${MAX_LINES} lines`, () => {
  const long = sources
    .filter((path) => !/^(test|bench)\//.test(path))
    .map((path) => ({ path, lines: read(path).trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES);
  expect(long).toEqual([]);
});

test('each exported name has one meaning', () => {
  const homes = new Map<string, string[]>();
  const product = sources.filter((path) => !/^(test|bench|scripts|sim)\//.test(path));
  for (const path of product) {
    const exported = read(path).matchAll(
      /^export (?:abstract )?(?:async )?(?:type|interface|class|function\*?|const) (\w+)/gm,
    );
    for (const name of new Set([...exported].map(([, name = '']) => name))) {
      homes.set(name, [...(homes.get(name) ?? []), path]);
    }
  }
  expect([...homes].filter(([, paths]) => paths.length > 1)).toEqual([]);
});

test('the image is built of every folder of the program', () => {
  const asides = new Set(['bench', 'scripts', 'test']);
  const folders = sources.flatMap((path) => (path.includes('/') ? (path.split('/')[0] ?? []) : []));
  const built = [...new Set(folders)].filter((folder) => !asides.has(folder));
  const taken = read('.dockerignore').split('\n');
  expect(built.filter((folder) => !taken.includes(`!${folder}`))).toEqual([]);
});

test('files are named in kebab case', () => {
  const odd = sources.filter(
    (path) =>
      !/^(?:[a-z0-9-]+\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|config|acceptance|d))*\.m?ts$/.test(path),
  );
  expect(odd).toEqual([]);
});

test('no test is skipped or run alone', () => {
  expect(places(sources, /\.(?:skip|only|todo)(?:If)?\b\s*\(|\b[xf](?:it|describe)\(/, codeOf)).toEqual([]);
});

test('nothing is left for later in a comment', () => {
  const text = files.filter(
    (path) => /\.(?:m?[tj]s|json|md|ya?ml|sh|conf|html|css)$/.test(path) && path !== HERE,
  );
  const marker = /\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/;
  expect(
    places(
      text.filter((path) => path !== 'package-lock.json'),
      marker,
      (whole) => whole,
    ),
  ).toEqual([]);
});
