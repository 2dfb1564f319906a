import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileGlob, compilePattern } from '../../../proxy/forward/pattern.ts';

/** What a test took of the processor, whatever else runs on it. */
const cpuMs = (since: NodeJS.CpuUsage): number => process.cpuUsage(since).user / 1000;

const matches = (pattern: string, text: string) => compilePattern(pattern).test(text);

describe('patterns', () => {
  test('agree with the regular expressions of the language on all that both know', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '\\.',
      '(?:ab|b)',
      '(a|)',
      'c',
      '-',
    );
    const part = fc
      .tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}', '{1,3}', '{0,}'))
      .map(([text, count]) => text + count);
    const sequence = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
    const pattern = fc
      .tuple(fc.constantFrom('', '^'), sequence, fc.constantFrom('', '|b', '|^c'), fc.constantFrom('', '$'))
      .map((parts) => parts.join(''));
    const subject = fc
      .array(fc.constantFrom('a', 'b', 'c', '1', '.', '-', 'é'), { maxLength: 12 })
      .map((chars) => chars.join(''));
    fc.assert(
      fc.property(pattern, subject, (text, against) => {
        expect([text, against, matches(text, against)]).toEqual([
          text,
          against,
          new RegExp(text).test(against),
        ]);
      }),
      { numRuns: 3000 },
    );
  });

  test('that go back for ever elsewhere are tested at once', () => {
    const text = `${'a'.repeat(20_000)}!`;
    const started = process.cpuUsage();
    for (const pattern of ['^(a+)+$', '^(a|aa)*$', 'a*a*a*a*a*a*b', '(.*)*x$', '(x+x+)+y'])
      expect(matches(pattern, text)).toBe(false);
    expect(cpuMs(started)).toBeLessThan(2_000);
  });

  test('that have a state for each text are tested in bounded time, whatever the texts', () => {
    const pattern = compilePattern('(a|b)*a(a|b){300}$');
    const path = fc.array(fc.constantFrom('a', 'b'), { minLength: 2048, maxLength: 2048 });
    const started = process.cpuUsage();
    for (const chars of fc.sample(path, { numRuns: 10, seed: 7 })) {
      expect(pattern.test(chars.join(''))).toBe(chars.at(-301) === 'a');
    }
    expect(cpuMs(started)).toBeLessThan(10_000);
  });

  test.each([
    ['(?=a)', 'unsupported Perl syntax: `(?=`'],
    ['(?<=a)b', 'invalid named capture'],
    ['(a)\\1', 'invalid escape sequence: `\\1`'],
    ['a**', 'invalid nested repetition'],
    ['*a', 'missing argument to repetition'],
    ['(a', 'missing closing )'],
    ['a)', 'unexpected )'],
    ['[a', 'missing closing ]'],
    ['a{3,2}', 'invalid repeat count'],
    ['a{1001}', 'invalid repeat count'],
    ['((((a{200}){200}){200}){200})', 'invalid repeat count'],
    [`${'('.repeat(8)}${'){256}'.repeat(8)}$`, 'invalid repeat count'],
    ['a{1000}b{1000}', 'too large'],
    ['\\pL{1000}'.repeat(100), 'too large'],
    ['[z-a]', 'invalid character class range'],
    ['('.repeat(1024), 'missing closing )'],
    ['a'.repeat(2000), 'longer than'],
  ])('refuse %s', (pattern, why) => {
    expect(() => compilePattern(pattern)).toThrow(why);
  });

  test('that repeat nothing match nothing', () => {
    expect(matches('(){256}$', '')).toBe(true);
    expect(matches('(a|){3}b', 'aab')).toBe(true);
  });

  test('of any text are compiled or refused, in bounded time', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 50 }), (pattern, text) => {
        try {
          compilePattern(pattern).test(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a glob stands for the whole, and its dots for themselves', () => {
    const glob = compileGlob('*.example.com');
    expect(glob.test('a.b.example.com')).toBe(true);
    expect(glob.test('example.com')).toBe(false);
    expect(glob.test('a.example.com.evil')).toBe(false);
    expect(glob.test('axexample.com')).toBe(false);
    expect(compileGlob('[::1]:*').test('[::1]:8080')).toBe(true);
    expect(compileGlob('a_b-c.*').test('a_b-c.example')).toBe(true);
  });
});
