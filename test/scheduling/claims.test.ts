import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { Claims, type Fallen } from '../../scheduling/claims.ts';
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

test('a host that was not to read the piece is believed in nothing, and cannot start a conflict', () => {
  const claims = new Claims();
  expect(claims.claim(a, 0, hash(1), false)).toBe('unproven');
  expect([claims.hashOf(0), claims.export()]).toEqual([undefined, []]);
  expect(claims.claim(b, 0, hash(2), true)).toBe('new');
  expect(claims.claim(a, 0, hash(1), false)).toBe('refused');
  expect(claims.claim(a, 0, hash(2), false)).toBe('same');
  expect(claims.hashOf(0)).toEqual(hash(2));
});

test('what is unproven is told once it is used, and taken back when it falls', () => {
  const fallen: Fallen[] = [];
  const claims = new Claims((what) => fallen.push(what));
  for (const piece of [0, 1, 2]) claims.claim(a, piece, hash(1), false);
  claims.use(1);
  expect(claims.hashOf(1)).toEqual(hash(1));
  claims.claim(b, 0, hash(2), true);
  expect(fallen).toEqual([{ told: [1], untold: [0, 2], liars: [a] }]);
  expect(claims.page(0).entries).toEqual([
    { piece: 1, hash: hash(1) },
    { piece: 1, hash: zeros },
    { piece: 0, hash: hash(2) },
  ]);
  expect(claims.claim(c, 5, hash(1), false)).toBe('refused');
  claims.unproven.reopen();
  expect(claims.claim(c, 5, hash(1), false)).toBe('unproven');
});

test('a proof is for what a host had told by then, and makes it as good as read', () => {
  const claims = new Claims();
  claims.claim(a, 0, hash(1), false);
  const { end } = claims.unproven;
  claims.claim(a, 1, hash(2), false);
  claims.claim(b, 0, hash(1), false);
  expect(claims.prove(a, end)).toEqual([0]);
  expect(claims.export()).toEqual([{ piece: 0, hash: hash(1) }]);
  expect(claims.claimants(0)).toEqual([a, b]);
  expect(claims.unproven.of(a)).toEqual([1]);
});

test('a reader that twice contradicts what only the log says is believed', () => {
  const claims = new Claims();
  claims.load([{ piece: 0, hash: hash(1) }]);
  expect(claims.claim(a, 0, hash(2), true)).toBe('conflict');
  expect(claims.claim(a, 0, hash(2), true)).toBe('new');
  expect(claims.hashOf(0)).toEqual(hash(2));
});

test('what only the log says can be taken back', () => {
  const claims = new Claims();
  claims.load([
    { piece: 0, hash: hash(1) },
    { piece: 1, hash: hash(2) },
  ]);
  claims.claim(a, 1, hash(2), true);
  expect(claims.withdraw('log')).toEqual([0]);
  expect(claims.export()).toEqual([{ piece: 1, hash: hash(2) }]);
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

/** What hosts 0 and 1, which are leased pieces, and the liars 2 and 3 say, in any order. */
const saying = fc.record({
  host: fc.nat(3),
  piece: fc.nat(5),
  fill: fc.integer({ min: 2, max: 4 }),
  isUsed: fc.boolean(),
});

test('whatever liars say, in whatever order: what was read is believed, and nothing else is logged', () => {
  fc.assert(
    fc.property(fc.array(saying, { maxLength: 60 }), (steps) => {
      const claims = new Claims();
      const read = new Set<number>();
      for (const { host, piece, fill, isUsed } of steps) {
        const isReader = host < 2;
        claims.claim(hostId(host), piece, isReader ? hash(1) : hash(fill), isReader);
        if (isReader) read.add(piece);
        if (isUsed) claims.use(piece);
        for (const known of read) expect(claims.hashOf(known)).toEqual(hash(1));
        expect(claims.export().map((entry) => entry.piece)).toEqual([...read].sort());
      }
    }),
  );
});

test('whatever was said before: after a contradiction no unproven claim is left, and none is taken', () => {
  fc.assert(
    fc.property(fc.array(saying, { minLength: 1, maxLength: 60 }), fc.nat(5), (steps, at) => {
      let falls = 0;
      const claims = new Claims(() => {
        falls += 1;
      });
      for (const { host, piece, fill, isUsed } of steps) {
        claims.claim(hostId(host), piece, hash(fill), false);
        if (isUsed) claims.use(piece);
      }
      const wasSaid = claims.unproven.has(at);
      claims.claim(hostId(9), at, hash(1), true);
      if (wasSaid) expect(falls).toBe(1);
      if (falls === 0) return;
      expect(claims.unproven.size).toBe(0);
      for (const { host, piece, fill } of steps) claims.claim(hostId(host), piece, hash(fill), false);
      expect([claims.unproven.size, claims.known, falls]).toEqual([0, 1, 1]);
      for (let piece = 0; piece <= 5; piece += 1) {
        expect(claims.hashOf(piece)).toEqual(piece === at ? hash(1) : undefined);
      }
    }),
  );
});
