import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hash32, rendezvous } from '../../core/rendezvous.ts';

const nodes = fc.uniqueArray(fc.string({ minLength: 1 }), {
  minLength: 1,
  maxLength: 12,
});

test('nobody is responsible where there is nobody', () => {
  expect(rendezvous('key', [])).toBeUndefined();
});

test('all agree, in whatever order they know the nodes', () => {
  fc.assert(
    fc.property(fc.string(), nodes, fc.nat(), (key, known, turn) => {
      const at = turn % known.length;
      const other = [...known.slice(at), ...known.slice(0, at)].reverse();
      expect(rendezvous(key, other)).toBe(rendezvous(key, known));
    }),
  );
});

test('a node that leaves moves only its own keys, and one that comes takes only what becomes its own', () => {
  fc.assert(
    fc.property(fc.string(), nodes, fc.nat(), (key, known, index) => {
      const before = rendezvous(key, known);
      const gone = known[index % known.length];
      const after = rendezvous(
        key,
        known.filter((node) => node !== gone),
      );
      if (before !== gone) expect(after).toBe(before);
    }),
  );
});

test('keys that differ in one digit are spread evenly', () => {
  const hosts = Array.from({ length: 8 }, (_, index) => `host-${index}`);
  const counts = new Map<string, number>();
  for (let index = 0; index < 8000; index += 1) {
    const host = rendezvous(`url-${index}`, hosts) ?? '';
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  for (const host of hosts) {
    expect(counts.get(host)).toBeGreaterThan(850);
    expect(counts.get(host)).toBeLessThan(1150);
  }
});

test('a hash is a whole number of 32 bits, and one changed character changes about half of them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const hash = hash32(text);
      expect(hash).toBe(hash >>> 0);
      expect(hash32(text)).toBe(hash);
    }),
  );
  let flipped = 0;
  for (let index = 0; index < 1000; index += 1) {
    let difference = hash32(`key-${index}`) ^ hash32(`key-${index + 1}`);
    while (difference !== 0) {
      difference &= difference - 1;
      flipped += 1;
    }
  }
  expect(flipped / 1000).toBeGreaterThan(15);
  expect(flipped / 1000).toBeLessThan(17);
});
