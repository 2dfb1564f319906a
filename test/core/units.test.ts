import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import {
  formatBytes,
  formatDuration,
  formatRate,
  parseBytes,
  parseDuration,
  parseRate,
} from '../../core/units.ts';

test.each([
  ['0', 0],
  ['1048576', 1_048_576],
  ['64GiB', 64 * 1024 ** 3],
  ['20MB', 20_000_000],
  ['1.5 kib', 1536],
  [' 2 TB ', 2e12],
])('the size %s is %d bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([
  ['20MB', 20_000_000],
  ['20MiB/s', 20 * 1024 ** 2],
  ['100Mbit/s', 12_500_000],
  ['50mbit', 6_250_000],
  ['0', 0],
])('the rate %s is %d bytes a second', (text, rate) => {
  expect(parseRate(text)).toBe(rate);
});

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['0', 0],
  ['1h30m', 5_400_000],
  ['1d 2h', 93_600_000],
  ['1.5m', 90_000],
])('the duration %s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  '',
  'x',
  '20M',
  '-1',
  '1e3',
  '1 GiB 2',
  '99999999999999999999',
  '1000000000000TB',
  'constructor',
  '1__',
  '20',
  '4096',
])('%j is no size', (text) => {
  expect(() => parseBytes(text)).toThrow(ShoalError);
});

test.each(['', 's', '30', '0.5', '5x', '1h-3m', '1.2.3', '5 apples', 'h1', '-5s', '1s1s1s1s1s1s'])(
  '%j is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow(ShoalError);
  },
);

test('no text crashes a parser or gives anything but a safe whole number', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9. ]{0,20}[a-zA-Z/]{0,6}$/));
  fc.assert(
    fc.property(text, (input) => {
      for (const parse of [parseBytes, parseRate, parseDuration]) {
        try {
          const value = parse(input);
          expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
        }
      }
    }),
  );
});

test('what is printed is read back within half a percent', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const back = parseBytes(formatBytes(bytes));
      expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.005 + 0.5);
      expect(parseRate(formatRate(bytes))).toBe(back);
    }),
  );
});

test('a printed duration, without its spaces, is read back within five percent', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e10 }), (ms) => {
      const text = formatDuration(ms).replace('min', 'm').replace(/ /g, '');
      expect(Math.abs(parseDuration(text) - ms)).toBeLessThanOrEqual(ms * 0.05 + 0.5);
    }),
  );
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [256 * 1024 ** 2, '256 MiB'],
  [1024 ** 3 * 1.5, '1.5 GiB'],
  [1024 ** 2 - 1, '1 MiB'],
])('%d bytes print as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [350, '350 ms'],
  [2100, '2.1 s'],
  [60_000, '1 min'],
  [245_000, '4 min 5 s'],
  [12_000_000, '3 h 20 min'],
  [187_200_000, '2 d 4 h'],
])('%d ms print as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
