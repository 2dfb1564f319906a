import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatContentRange, formatRange, parseContentRange, parseRange } from '../../core/ranges.ts';

test.each([
  [undefined, 'whole'],
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=0-', { start: 0, end: 100 }],
  [' bytes=10-19 ', { start: 10, end: 20 }],
  ['bytes=90-1000', { start: 90, end: 100 }],
  ['bytes=-10', { start: 90, end: 100 }],
  ['bytes=-1000', { start: 0, end: 100 }],
  ['bytes=99-', { start: 99, end: 100 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=20-10', 'whole'],
  ['bytes=-', 'whole'],
  ['bytes=0-1,5-6', 'whole'],
  ['bytes=0-1,', 'whole'],
  ['bits=0-1', 'whole'],
  ['bytes 0-1', 'whole'],
  ['bytes=+1-2', 'whole'],
  ['bytes=1e1-20', 'whole'],
  ['bytes=0x1-2', 'whole'],
  ['bytes=1-2\n', { start: 1, end: 3 }],
  ['bytes=1-2\nbytes=3-4', 'whole'],
  ['bytes=1.5-2', 'whole'],
  [`bytes=${'9'.repeat(400)}-`, 'whole'],
])('of 100 bytes, %j asks for %j', (header, range) => {
  expect(parseRange(header, 100)).toEqual(range);
});

test('of nothing, no range can be given', () => {
  for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1'])
    expect(parseRange(header, 0)).toBe('unsatisfiable');
});

test('whatever the header, a range lies within the content and is not empty', () => {
  const header = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'bytes=-0123456789, ') }),
    fc
      .tuple(fc.option(fc.maxSafeNat(), { nil: '' }), fc.option(fc.maxSafeNat(), { nil: '' }))
      .map(([first, last]) => `bytes=${first}-${last}`),
  );
  fc.assert(
    fc.property(header, fc.maxSafeNat(), (text, length) => {
      const range = parseRange(text, length);
      if (typeof range === 'string') return;
      expect(range.start).toBeGreaterThanOrEqual(0);
      expect(range.end).toBeGreaterThan(range.start);
      expect(range.end).toBeLessThanOrEqual(length);
    }),
    { numRuns: 1000 },
  );
});

const range = fc
  .tuple(fc.nat({ max: 1e14 }), fc.integer({ min: 1, max: 1e14 }), fc.nat({ max: 1e14 }))
  .map(([start, size, more]) => ({ start, end: start + size, total: start + size + more }));

test('a range is read back as it was written', () => {
  fc.assert(
    fc.property(range, ({ start, end, total }) => {
      expect(parseRange(formatRange({ start, end }), total)).toEqual({ start, end });
    }),
  );
});

test('a Content-Range is read back as it was written, with or without its total', () => {
  fc.assert(
    fc.property(range, fc.boolean(), ({ start, end, total }, known) => {
      const sent = { start, end, total: known ? total : undefined };
      expect(parseContentRange(formatContentRange(sent))).toEqual(sent);
    }),
  );
});

test.each([
  undefined,
  '',
  'bytes */100',
  'bytes 0-99',
  'bytes 5-4/100',
  'bytes 0-100/100',
  'bytes -1/100',
  'bytes 0-9/5',
  'bits 0-1/2',
  'bytes=0-1/2',
  'bytes 0-1/2, bytes 0-1/2',
  'bytes 0-1/2\nx',
  `bytes 0-1/${'9'.repeat(30)}`,
])('%j is no Content-Range', (header) => {
  expect(parseContentRange(header)).toBeUndefined();
});

test('whatever the header, a Content-Range does not contradict itself', () => {
  const header = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'0123456789-/*') }).map((rest) => `bytes ${rest}`),
    fc.tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat()).map(([a, b, c]) => `bytes ${a}-${b}/${c}`),
  );
  fc.assert(
    fc.property(header, (text) => {
      const parsed = parseContentRange(text);
      if (parsed === undefined) return;
      expect(parsed.end).toBeGreaterThan(parsed.start);
      expect(parsed.total ?? parsed.end).toBeGreaterThanOrEqual(parsed.end);
    }),
    { numRuns: 1000 },
  );
});
