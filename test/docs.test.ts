import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAX_COLUMNS = 160;
const MAX_WORDS = 1_300;
const MAX_DECISION_LINES = 15;

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const isThere = (path: string) => existsSync(join(ROOT, path));
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && isThere(path));

const withoutFences = (markdown: string) => markdown.replace(/^```[\s\S]*?^```$/gm, '');

describe('links', () => {
  /** Headings as GitHub names them in links. */
  function anchors(markdown: string): Set<string> {
    const headings = withoutFences(markdown).match(/^#{1,6} .*$/gm) ?? [];
    return new Set(
      headings.map((heading) =>
        heading
          .replace(/^#+ /, '')
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .trim()
          .replace(/ /g, '-'),
      ),
    );
  }

  /** Links of a page that lead nowhere. */
  function broken(page: string): string[] {
    const text = withoutFences(read(page)).replace(/`[^`\n]*`/g, '');
    const links = [...text.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].map(([, target = '']) => target);
    return links.filter((target) => {
      if (/^[a-z][a-z0-9+.-]*:/.test(target)) return false;
      const [file = '', anchor] = target.split('#');
      const path = file === '' ? page : normalize(join(dirname(page), decodeURIComponent(file)));
      if (path.startsWith('..') || !isThere(path)) return true;
      return anchor !== undefined && path.endsWith('.md') && !anchors(read(path)).has(anchor);
    });
  }

  test.each(pages)('every link of %s leads somewhere', (page) => {
    expect(broken(page)).toEqual([]);
  });

  test('pages name no file that is not there', () => {
    const folders =
      'core|scheduling|machines|actors|transport|dataplane|origins|storage|proxy|gateway|admin|app|bin|sim';
    const file = new RegExp(`\`((?:${folders}|docs|test|bench|scripts)/[\\w./-]*?)/?\``, 'g');
    const named = pages.flatMap((page) => {
      const text = withoutFences(read(page));
      return [...text.matchAll(file)].map(([, path = '']) => ({ page, path }));
    });
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter(({ path }) => !isThere(path))).toEqual([]);
  });

  test('pages name no document that is not there', () => {
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/(?<![\w/.])docs\/[\w/-]+\.(?:md|json|ya?ml)/g)].map(([path]) => ({
        page,
        path,
      })),
    );
    expect(named.filter(({ path }) => !isThere(path))).toEqual([]);
  });
});

describe('pages are read with ease', () => {
  /** Made from the code, tables for the most part. */
  const isMade = (page: string) => /^docs\/(?:machines\/|SUBJECTS\.md$)/.test(page);

  test.each(pages.filter((page) => !isMade(page)))(
    `no line of %s is longer than ${MAX_COLUMNS}, but in tables, links and code`,
    (page) => {
      const long = withoutFences(read(page))
        .split('\n')
        .filter((line) => !line.startsWith('|'))
        .map((line) => line.replace(/\]\([^)]*\)/g, ']'))
        .filter((line) => line.length > MAX_COLUMNS);
      expect(long).toEqual([]);
    },
  );

  test(`docs/ARCHITECTURE.md has at most ${MAX_WORDS} words, and its three sequences`, () => {
    const text = read('docs/ARCHITECTURE.md');
    expect(text.split(/\s+/).length).toBeLessThanOrEqual(MAX_WORDS);
    expect(text.match(/^sequenceDiagram$/gm)).toHaveLength(3);
    // Mermaid ends a message at either, and draws nothing then.
    expect(text.match(/^ *\w+-?->>\w+:.*[;#].*$/gm)).toBeNull();
  });
});

describe('decisions', () => {
  const files = pages.filter((page) => /^docs\/decisions\/(?!README)/.test(page));

  test.each(files)('%s is short, has its four parts, and the number of its file', (page) => {
    const lines = read(page).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(MAX_DECISION_LINES);
    const [, number = ''] = /\/(\d{3})-[a-z0-9-]+\.md$/.exec(page) ?? [];
    expect(lines[0]).toMatch(new RegExp(`^# ${number} \\S`));
    const parts = lines.flatMap((line) => /^- \*\*(\w+)\.\*\* /.exec(line)?.[1] ?? []);
    expect(parts).toEqual(['Context', 'Choice', 'Measured', 'Where']);
  });

  test('no number is given twice', () => {
    const numbers = files.map((page) => page.slice('docs/decisions/'.length).slice(0, 3));
    expect(numbers.length).toBe(new Set(numbers).size);
  });
});

describe('docs/PROTOCOL.md', () => {
  const [, text = ''] = read('docs/PROTOCOL.md').split('\n## Invariants\n');
  const invariants = text.split(/^(?=\d+\. )/gm).slice(1);
  const tests = [...text.matchAll(/^\s+- `(test\/[^`]+)`: \*(.+)\*$/gm)].map(([, file = '', name = '']) => ({
    file,
    name,
  }));

  test('names a test for each invariant', () => {
    expect(invariants.length).toBeGreaterThan(10);
    expect(invariants.filter((one) => !/^\s+- `test\//m.test(one))).toEqual([]);
    // Each line below an invariant is one of a test, in the form that is understood here.
    expect(text.match(/^\s+- /gm)).toHaveLength(tests.length);
  });

  test.each(tests)('$file has a test “$name”', ({ file, name }) => {
    expect(isThere(file)).toBe(true);
    const quoted = new RegExp(`\\(\\s*(['"\`])${escaped(name)}\\1,`);
    expect(read(file)).toMatch(quoted);
  });
});

test('the figures of README are those of the measurements that they link to', () => {
  const sections = new Map(
    read('docs/MEASUREMENTS.md')
      .split('\n## ')
      .map((section) => [section.slice(0, section.indexOf('\n')), section]),
  );
  const rows = read('README.md').match(/^\|.*\(docs\/MEASUREMENTS\.md#.*$/gm) ?? [];
  const figures = rows.flatMap((row) => {
    const [, name = ''] = /MEASUREMENTS\.md#([\w-]+)/.exec(row) ?? [];
    return [...row.matchAll(/\*\*([^*]+)\*\*/g)].map(([, figure = '']) => ({ name, figure }));
  });
  expect(rows).toHaveLength(5);
  expect(figures.length).toBeGreaterThanOrEqual(5);
  expect(figures.filter(({ name, figure }) => !sections.get(name)?.includes(` ${figure} `))).toEqual([]);
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
