import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hash32, rendezvousRank } from '../../core/rendezvous.ts';

const nodes = fc.uniqueArray(fc.string({ minLength: 1 }), {
  minLength: 1,
  maxLength: 12,
});

const ranks = (key: string, known: readonly string[]) =>
  known.map((node) =>
    rendezvousRank(
      key,
      node,
      known.filter((other) => other !== node),
    ),
  );

test('a node that knows no other is the first', () => {
  expect(rendezvousRank('key', 'a', [])).toBe(0);
});

test('whoever knows the same nodes agrees on the rank of each, and no two have the same', () => {
  fc.assert(
    fc.property(fc.string(), nodes, (key, known) => {
      expect(ranks(key, known).sort((a, b) => a - b)).toEqual(known.map((_, index) => index));
      expect(ranks(key, [...known].reverse())).toEqual(ranks(key, known).reverse());
    }),
  );
});

test('a node that leaves moves up only those behind it', () => {
  fc.assert(
    fc.property(fc.string(), nodes, fc.nat(), (key, known, index) => {
      const gone = index % known.length;
      const before = ranks(key, known);
      const after = ranks(key, known.toSpliced(gone, 1));
      const of = before[gone] ?? 0;
      expect(after).toEqual(before.toSpliced(gone, 1).map((rank) => (rank > of ? rank - 1 : rank)));
    }),
  );
});

test('keys that differ in one digit are spread evenly', () => {
  const hosts = Array.from({ length: 8 }, (_, index) => `host-${index}`);
  const counts = new Map<string, number>();
  for (let index = 0; index < 8000; index += 1) {
    const host = hosts[ranks(`url-${index}`, hosts).indexOf(0)] ?? '';
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
