import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitfield } from '../../core/bitfield.ts';

const length = fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 3000 }));

test('bit 0 is the highest of byte 0', () => {
  const bits = new Bitfield(10);
  bits.add(0);
  bits.add(9);
  expect([...bits.toBytes()]).toEqual([0x80, 0x40]);
});

test('bits beyond the length are cleared and not counted', () => {
  const bits = new Bitfield(10, new Uint8Array([0xff, 0xff]));
  expect(bits.count).toBe(10);
  expect(bits.complete).toBe(true);
  expect([...bits.toBytes()]).toEqual([0xff, 0xc0]);
});

test('bytes that do not fit the length are refused', () => {
  fc.assert(
    fc.property(length, fc.uint8Array({ maxLength: 400 }), (bits, bytes) => {
      fc.pre(bytes.length !== Math.ceil(bits / 8));
      expect(() => new Bitfield(bits, bytes)).toThrow(RangeError);
    }),
  );
});

test('it keeps its own copy of the bytes, and gives copies', () => {
  const bytes = new Uint8Array([0x80]);
  const bits = new Bitfield(8, bytes);
  bytes[0] = 0xff;
  bits.toBytes()[0] = 0xff;
  bits.clone().add(5);
  expect([...bits.ones()]).toEqual([0]);
});

test('it behaves as a set of numbers below its length', () => {
  const step = fc.record({ verb: fc.constantFrom('add', 'delete'), index: fc.integer({ min: -3, max: 70 }) });
  fc.assert(
    fc.property(fc.nat({ max: 64 }), fc.array(step, { maxLength: 100 }), (size, steps) => {
      const bits = new Bitfield(size);
      const model = new Set<number>();
      for (const { verb, index } of steps) {
        const inside = index >= 0 && index < size;
        if (verb === 'add') {
          expect(bits.add(index)).toBe(inside && !model.has(index));
          if (inside) model.add(index);
        } else {
          expect(bits.delete(index)).toBe(model.delete(index));
        }
        expect(bits.count).toBe(model.size);
      }
      const all = Array.from({ length: size }, (_, index) => index);
      expect([...bits.ones()]).toEqual(all.filter((index) => model.has(index)));
      expect([...bits.zeros()]).toEqual(all.filter((index) => !model.has(index)));
      expect(bits.complete).toBe(model.size === size);
      for (let index = -2; index < size + 2; index += 1) expect(bits.has(index)).toBe(model.has(index));
    }),
  );
});

test('it crosses the wire unchanged', () => {
  fc.assert(
    fc.property(length, fc.infiniteStream(fc.boolean()), (size, coins) => {
      const bits = new Bitfield(size);
      for (let index = 0; index < size; index += 1) if (coins.next().value) bits.add(index);
      const copy = new Bitfield(size, bits.toBytes());
      expect([...copy.ones()]).toEqual([...bits.ones()]);
      expect(copy.count).toBe(bits.count);
    }),
    { numRuns: 50 },
  );
});

test('the next clear bit is the first one, from anywhere', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 200 }),
      fc.array(fc.nat({ max: 199 })),
      fc.nat({ max: 220 }),
      (size, holes, from) => {
        const bits = Bitfield.full(size);
        for (const hole of holes) bits.delete(hole);
        const clear = holes.filter((hole) => hole < size && hole >= from).sort((a, b) => a - b);
        expect(bits.nextClear(from)).toBe(clear[0] ?? size);
      },
    ),
  );
});

test('a run is there only when all of it is, and never beyond the end', () => {
  const bits = Bitfield.full(20);
  expect(bits.hasRun(0, 20)).toBe(true);
  expect(bits.hasRun(0, 21)).toBe(false);
  expect(bits.hasRun(-1, 2)).toBe(false);
  expect(bits.hasRun(5, 0)).toBe(true);
  bits.delete(7);
  expect(bits.hasRun(0, 7)).toBe(true);
  expect(bits.hasRun(7, 1)).toBe(false);
  expect(bits.hasRun(3, 9)).toBe(false);
});
