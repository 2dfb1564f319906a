import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileGlob, compilePattern } from '../../../proxy/forward/pattern.ts';

const matches = (pattern: string, text: string) => compilePattern(pattern).test(text);

describe('patterns', () => {
  test('agree with the regular expressions of the language on all that both know', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\.', '(?:ab|b)', '(a|)', 'c', '-');
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
    const startedMs = performance.now();
    for (const pattern of ['^(a+)+$', '^(a|aa)*$', 'a*a*a*a*a*a*b', '(.*)*x$'])
      expect(matches(pattern, text)).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test.each([
    ['(?=a)', 'group other than'],
    ['(?<n>a)', 'group other than'],
    ['(a)\\1', 'escape \\\\1'],
    ['\\bx', 'escape \\\\b'],
    ['a**', 'repeats a repetition'],
    ['*a', 'repeats nothing'],
    ['(a', 'lacks a )'],
    ['a)', 'a ) too many'],
    ['[a', 'ends too early'],
    ['a{3,2}', 'wrong way round'],
    ['a{300}', 'more than 256'],
    ['((((a{200}){200}){200}){200})', 'too large'],
    ['[z-a]', 'wrong way round'],
    ['^*', 'repeats an anchor'],
    ['('.repeat(40), 'nested too deep'],
    ['a'.repeat(2000), 'longer than'],
  ])('refuse %s', (pattern, why) => {
    expect(() => compilePattern(pattern)).toThrow(why.replaceAll('\\\\', '\\'));
  });

  test('that repeat nothing match nothing, at once', () => {
    expect(matches(`${'('.repeat(8)}${'){256}'.repeat(8)}$`, '')).toBe(true);
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
  });
});
