import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packHashes, unpackHashes } from '../../core/hash-page.ts';
import { LIMITS } from '../../core/limits.ts';

const entry = fc.record({
  piece: fc.nat({ max: 2 ** 32 - 1 }),
  hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
});

test('hashes cross the bus unchanged, in order, whatever buffer they lie in', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 50 }), fc.nat({ max: 20 }), (hashes, offset) => {
      const packed = packHashes(hashes);
      const wide = new Uint8Array(packed.length + offset + 9).fill(0xee);
      wide.set(packed, offset);
      expect(unpackHashes(wide.subarray(offset, offset + packed.length))).toEqual(hashes);
    }),
  );
});

test('bytes that are not whole entries are no hashes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const hashes = unpackHashes(bytes);
      if (bytes.length % 36 !== 0) {
        expect(hashes).toBeUndefined();
        return;
      }
      expect(hashes).toHaveLength(bytes.length / 36);
      expect(packHashes(hashes ?? [])).toEqual(bytes);
    }),
  );
});

test('an unpacked hash is a copy: the message it came in may be used again', () => {
  const packed = packHashes([{ piece: 1, hash: new Uint8Array(32).fill(1) }]);
  const [unpacked] = unpackHashes(packed) ?? [];
  packed.fill(9);
  expect(unpacked?.hash).toEqual(new Uint8Array(32).fill(1));
});

test('a full page fits in a message with room for the rest of a sync', () => {
  expect(LIMITS.hashesPerPage * 36).toBeLessThanOrEqual(LIMITS.messageBytes * 0.6);
});
