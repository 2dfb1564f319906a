import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { Claims } from '../../scheduling/claims.ts';
import { hostId } from './world.ts';

const [a, b, c] = [hostId(1), hostId(2), hostId(3)] as [HostId, HostId, HostId];
const hash = (fill: number) => new Uint8Array(32).fill(fill);
const zeros = new Uint8Array(32);

test('the first read of a piece is believed, the same again is the same', () => {
  const claims = new Claims();
  expect(claims.claim(a, 3, hash(1), true)).toBe('new');
  expect(claims.claim(b, 3, hash(1), true)).toBe('same');
  expect(claims.hashOf(3)).toEqual(hash(1));
  expect(claims.claimants(3)).toEqual([a, b]);
});

test('a host that was not to read the piece is refused, and cannot start a conflict', () => {
  const claims = new Claims();
  expect(claims.claim(a, 0, hash(1), false)).toBe('refused');
  claims.claim(b, 0, hash(2), true);
  expect(claims.claim(a, 0, hash(1), false)).toBe('refused');
  expect(claims.claim(a, 0, hash(2), false)).toBe('same');
  expect(claims.hashOf(0)).toEqual(hash(2));
});

test('two reads that differ leave the piece unproven until a third host agrees with one of them', () => {
  const claims = new Claims();
  claims.claim(a, 0, hash(1), true);
  expect(claims.claim(b, 0, hash(2), true)).toBe('conflict');
  expect(claims.hashOf(0)).toBeUndefined();
  expect(claims.claim(b, 0, hash(2), true)).toBe('conflict');
  expect(claims.claim(c, 0, hash(2), true)).toBe('new');
  expect(claims.hashOf(0)).toEqual(hash(2));
  expect(claims.page(0, 10).entries.map((entry) => entry.hash)).toEqual([hash(1), zeros, hash(2)]);
});

test('a host that reads again and then agrees with the other settles it', () => {
  const claims = new Claims();
  claims.claim(a, 0, hash(1), true);
  claims.claim(b, 0, hash(2), true);
  expect(claims.claim(a, 0, hash(2), true)).toBe('new');
  expect(claims.hashOf(0)).toEqual(hash(2));
});

test('what rested on one host alone goes with it, what another read too stays', () => {
  const claims = new Claims();
  claims.claim(a, 0, hash(1), true);
  claims.claim(a, 1, hash(2), true);
  claims.claim(b, 1, hash(2), true);
  expect(claims.withdraw(a)).toEqual([0]);
  expect(claims.hashOf(0)).toBeUndefined();
  expect(claims.hashOf(1)).toEqual(hash(2));
  expect(claims.claim(c, 0, hash(5), true)).toBe('new');
});

test('the log of the task is taken over where nothing is known, and given back the same', () => {
  const claims = new Claims();
  claims.claim(a, 1, hash(9), true);
  claims.load([
    { piece: 1, hash: hash(1) },
    { piece: 0, hash: hash(4) },
  ]);
  expect(claims.export()).toEqual([
    { piece: 0, hash: hash(4) },
    { piece: 1, hash: hash(9) },
  ]);
  expect(claims.proven).toBe(2);
});

test('hashes that cannot be are refused', () => {
  const claims = new Claims();
  for (const piece of [-1, 1.5, Number.NaN, LIMITS.piecesPerTask]) {
    expect(claims.claim(a, piece, hash(1), true)).toBe('refused');
  }
  for (const bad of [zeros, new Uint8Array(31).fill(1), new Uint8Array(33).fill(1)]) {
    expect(claims.claim(a, 0, bad, true)).toBe('refused');
  }
});

test('who follows the log by pages ends with the hashes believed, whatever was claimed and withdrawn', () => {
  const step = fc.record({
    host: fc.nat(3),
    piece: fc.nat(4),
    fill: fc.integer({ min: 1, max: 3 }),
    leased: fc.boolean(),
    withdraw: fc.boolean(),
    read: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const claims = new Claims();
      const known = new Map<number, number>();
      let cursor = 0;
      const follow = (max: number) => {
        const page = claims.page(cursor, max);
        for (const entry of page.entries) {
          if (entry.hash.every((byte) => byte === 0)) known.delete(entry.piece);
          else known.set(entry.piece, entry.hash[0] ?? 0);
        }
        cursor = page.next;
      };
      for (const { host, piece, fill, leased, withdraw, read } of steps) {
        if (withdraw && fill === 1) claims.withdraw(hostId(host));
        else claims.claim(hostId(host), piece, hash(fill), leased);
        follow(read);
      }
      follow(claims.end);
      expect(new Map([...known].sort())).toEqual(
        new Map(claims.export().map((entry) => [entry.piece, entry.hash[0] ?? 0])),
      );
      expect(claims.proven).toBe(known.size);
    }),
  );
});
