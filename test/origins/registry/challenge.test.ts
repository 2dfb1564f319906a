import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChallenges } from '../../../origins/registry/challenge.ts';
import { demandOf } from '../../../origins/registry/demand.ts';

function plain(header: string) {
  return parseChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);
}

describe('the challenges of a header', () => {
  test.each<[string, unknown]>([
    ['Basic', [['basic', {}]]],
    ['Basic realm="a b"', [['basic', { realm: 'a b' }]]],
    [
      'bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
      [['bearer', { realm: 'https://a/t', service: 's', scope: 'repository:x:pull,push' }]],
    ],
    ['Bearer realm=x , service = "y"', [['bearer', { realm: 'x', service: 'y' }]]],
    [
      'Negotiate, Basic realm="a", Bearer realm="b",service="c"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'b', service: 'c' }],
      ],
    ],
    [
      'Negotiate YWJj==, Basic realm=a',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a' }],
      ],
    ],
    [
      'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
      [
        ['newauth', { realm: 'apps', type: '1', title: 'Login to "apps"' }],
        ['basic', { realm: 'simple' }],
      ],
    ],
    [
      ' , ,Basic realm="a",, ,Digest nonce=1,',
      [
        ['basic', { realm: 'a' }],
        ['digest', { nonce: '1' }],
      ],
    ],
    ['Bearer realm="a, Basic realm=b"', [['bearer', { realm: 'a, Basic realm=b' }]]],
    ['Bearer Realm="a",SCOPE=""', [['bearer', { realm: 'a', scope: '' }]]],
    ['Basic __proto__="a",constructor=b', [['basic', JSON.parse('{"__proto__":"a","constructor":"b"}')]]],
  ])('%s is understood', (header, wanted) => {
    expect(plain(header)).toEqual(wanted);
  });

  test.each([
    ['a thing said twice', 'Bearer realm="a",realm="b", Basic realm="c"', [['basic', { realm: 'c' }]]],
    ['an open quote', 'Basic realm="a", Bearer realm="b', [['basic', { realm: 'a' }]]],
    ['what follows a mistake', 'Basic realm="a" oops, Bearer realm="b"', []],
    ['nothing', '', []],
    ['no scheme', '="a"', []],
    ['too much', `Basic realm="${'a'.repeat(20_000)}"`, []],
  ])('are left out where there is %s', (_what, header, wanted) => {
    expect(plain(header)).toEqual(wanted);
  });

  test('written by the rules are read as they were meant', () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9!#$%&'*+.^_`|~-]{0,8}$/);
    const value = fc.string({ unit: fc.constantFrom(...'aZ09 ,="\\:/\t;é'), maxLength: 20 });
    const params = fc.uniqueArray(fc.tuple(token, value), { selector: ([name]) => name, maxLength: 5 });
    const gap = fc.constantFrom('', ' ', '\t', '  ');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(token, params), { minLength: 1, maxLength: 4 }),
        gap,
        (challenges, blank) => {
          const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
          const header = challenges
            .map(
              ([scheme, all]) =>
                `${scheme} ${all.map(([name, said]) => `${name}${blank}=${quoted(said)}`).join(`${blank},`)}`,
            )
            .join(', ');
          const read = parseChallenges(header);
          expect(read.map(({ scheme, params: got }) => [scheme, [...got]])).toEqual(challenges);
        },
      ),
    );
  });

  test('of any text are read in time and without a throw', () => {
    const bits = fc.constantFrom(
      'Basic',
      'Bearer',
      ' ',
      ',',
      '=',
      '"',
      '\\',
      'realm',
      'http://a',
      '\0',
      '\n',
      'é',
      '==',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(bits, { maxLength: 40 }).map((all) => all.join('')),
        ),
        (header) => {
          expect(parseChallenges(header).length).toBeLessThanOrEqual(16);
          demandOf(header, 'team/app');
        },
      ),
      { numRuns: 500 },
    );
    const began = process.cpuUsage();
    for (const long of [
      `B ${'a='.repeat(8000)}`,
      `B a="${'\\"'.repeat(8000)}`,
      `${', '.repeat(8000)}`,
      `B ${'a,'.repeat(8000)}`,
    ])
      parseChallenges(long);
    // Of the processor, not of the clock: others may hold it meanwhile.
    expect(process.cpuUsage(began).user / 1_000).toBeLessThan(2_000);
  });
});

describe('a demand', () => {
  test('is for a token where there is one to be had, else for a password', () => {
    expect(demandOf('Basic realm="x", Bearer realm="https://a/t",service="s",scope="q"', 'team/app')).toEqual(
      {
        kind: 'bearer',
        realm: 'https://a/t',
        service: 's',
        scope: 'q',
      },
    );
    expect(demandOf('Bearer realm="nowhere", Basic realm="x"', 'team/app')).toEqual({ kind: 'basic' });
    expect(demandOf('Negotiate', 'team/app')).toBeUndefined();
  });

  test.each(['', ',scope=""', ',scope=" "'])('with %j for a scope is to pull what was asked for', (scope) => {
    const header = `Bearer realm="https://a/t"${scope}`;
    expect(demandOf(header, 'team/app')).toMatchObject({ scope: 'repository:team/app:pull' });
    expect(demandOf(header, '')).toMatchObject({ scope: undefined });
  });

  test('names no realm but an http one, and no user in it', () => {
    for (const realm of ['file:///etc/passwd', 'ftp://a/', '/token', 'a', '', 'https://'])
      expect(demandOf(`Bearer realm="${realm}"`, '')).toBeUndefined();
    expect(demandOf('Bearer realm="https://me:pw@a/t#x"', '')).toMatchObject({ realm: 'https://a/t' });
  });
});
