import { expect, test } from 'vitest';
import { parseGetList } from '../../app/get-list.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(128);

test('lines of URL, digest and path, with what is left out', () => {
  const text = [
    '# a list',
    '',
    `http://o/x/a.bin sha256:${A.toUpperCase()} sub/a b.bin`,
    'http://o/x/b%20c.bin?v=1',
    'http://o/d - d.out',
    'http://o/e e.out',
    `sha256:${A} \r`,
  ].join('\n');
  expect(parseGetList(text, undefined)).toEqual([
    { resource: 'http://o/x/a.bin', digest: `sha256:${A}`, path: 'sub/a b.bin' },
    { resource: 'http://o/x/b%20c.bin?v=1', digest: undefined, path: 'b c.bin' },
    { resource: 'http://o/d', digest: undefined, path: 'd.out' },
    { resource: 'http://o/e', digest: undefined, path: 'e.out' },
    { resource: `sha256:${A}`, digest: undefined, path: A },
  ]);
});

test('a file of sha256sum is below the base, and without one of the swarm', () => {
  const text = `${A}  dir/a b#.tar\n${B} *c.tar\nsha256:${A}  ./d.tar\n`;
  expect(parseGetList(text, 'https://o/v1?x=y')).toEqual([
    { resource: 'https://o/dir/a%20b%23.tar', digest: `sha256:${A}`, path: 'dir/a b#.tar' },
    { resource: 'https://o/c.tar', digest: `sha512:${B}`, path: 'c.tar' },
    { resource: 'https://o/d.tar', digest: `sha256:${A}`, path: 'd.tar' },
  ]);
  expect(parseGetList(text, undefined).map(({ resource, digest }) => [resource, digest])).toEqual([
    [`sha256:${A}`, undefined],
    [`sha512:${B}`, undefined],
    [`sha256:${A}`, undefined],
  ]);
});

test.each([
  'http://o/a /etc/passwd',
  'http://o/a ../out',
  'http://o/a sub/../../out',
  `${A}  ../out`,
  'http://o/',
  'http://o/%2e%2e%2fx',
  'http://o/a dir/',
  'ftp://o/a',
  'http://o/a sha256:short',
  'http://o/a x\nhttp://o/b ./x',
])('what is no line of a list says which one it is: %j', (text) => {
  expect(() => parseGetList(text, 'http://o')).toThrow(/^line [12] of the list: /);
});
