import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBufferPool } from '../../core/buffer-pool.ts';

test('what was given back is lent again, as long as it was asked for', () => {
  const pool = createBufferPool(64, 2);
  const first = pool.take(64);
  pool.give(first.subarray(3, 9));
  const second = pool.take(40);
  expect(second.buffer).toBe(first.buffer);
  expect(second).toHaveLength(40);
});

test('what is too long or hardly anything has memory of its own', () => {
  const pool = createBufferPool(64, 2);
  for (const length of [65, 7, 0]) {
    const buffer = pool.take(length);
    expect(buffer).toHaveLength(length);
    pool.give(buffer);
  }
  expect(pool.take(64).buffer.byteLength).toBe(64);
});

test('only as many are kept as there is room for', () => {
  const pool = createBufferPool(64, 2);
  const lent = [1, 2, 3].map(() => pool.take(64));
  for (const buffer of lent) pool.give(buffer);
  const again = [1, 2, 3].map(() => pool.take(64).buffer);
  expect(again.filter((buffer) => lent.some((one) => one.buffer === buffer))).toHaveLength(2);
});

test('no memory is ever lent to two at once, whatever is given back and how often', () => {
  const step = fc.oneof(
    fc.record({ take: fc.integer({ min: 0, max: 80 }) }),
    fc.record({ give: fc.nat(20) }),
    fc.constant({ foreign: true }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = createBufferPool(64, 3);
      const ever: Buffer[] = [];
      const out = new Set<ArrayBufferLike>();
      for (const one of steps) {
        if ('take' in one) {
          const buffer = pool.take(one.take);
          expect(out.has(buffer.buffer)).toBe(false);
          out.add(buffer.buffer);
          ever.push(buffer);
        } else if ('give' in one) {
          const buffer = ever[one.give];
          if (buffer === undefined) continue;
          // A second time it may be somebody else's already: the caller's word is not enough.
          if (!out.delete(buffer.buffer)) continue;
          pool.give(buffer);
          pool.give(Buffer.alloc(64));
        } else pool.give(new Uint8Array(new ArrayBuffer(64)));
      }
    }),
  );
});
