import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bits } from '../../scheduling/bits.ts';
import { Holdings } from '../../scheduling/holdings.ts';
import { Load } from '../../scheduling/load.ts';
import { newMember } from '../../scheduling/member.ts';
import { OriginCap } from '../../scheduling/origin-cap.ts';
import { RarityOrder } from '../../scheduling/rarity.ts';
import { SlotTable, upShare } from '../../scheduling/slots.ts';
import { hostId, seeded } from './world.ts';

test('a set of bits is a set', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(200))), (steps) => {
      const bits = new Bits();
      const set = new Set<number>();
      for (const [on, index] of steps) {
        if (on) expect(bits.add(index)).toBe(!set.has(index));
        else expect(bits.delete(index)).toBe(set.has(index));
        if (on) set.add(index);
        else set.delete(index);
      }
      expect([...bits.values()]).toEqual([...set].sort((left, right) => left - right));
      expect(bits.count).toBe(set.size);
    }),
  );
});

test('the order of rarity is ascending by key whatever changes, grows and shrinks', () => {
  const step = fc.record({ piece: fc.nat(80), key: fc.nat(9), size: fc.option(fc.nat(80)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
      const order = new RarityOrder(seeded(seed));
      const keys: number[] = [];
      for (const { piece, key, size } of steps) {
        if (size !== null) {
          order.grow(size);
          order.shrink(size);
          while (keys.length < size) keys.push(0);
          keys.length = size;
        }
        if (piece < keys.length) {
          keys[piece] = key;
          order.set(piece, key);
        }
        const seen = Array.from({ length: order.size }, (_, position) => order.at(position));
        expect(seen.toSorted((left, right) => left - right)).toEqual(keys.map((_, index) => index));
        expect(seen.map((each) => order.key(each))).toEqual(keys.toSorted((left, right) => left - right));
        for (let at = 0; at < 12; at += 1) {
          expect(order.startOf(at)).toBe(keys.filter((each) => each < at).length);
        }
      }
    }),
  );
});

test('pieces of equal rarity come in random order', () => {
  const first = new Set<number>();
  for (let seed = 0; seed < 200; seed += 1) {
    const order = new RarityOrder(seeded(seed));
    order.grow(8);
    first.add(order.at(0));
  }
  expect(first.size).toBe(8);
});

test('the load keeps the free hosts by how busy they are', () => {
  const load = new Load();
  load.grow(70);
  load.set(69, 3);
  load.set(1, 0);
  expect(load.freeHosts).toBe(2);
  expect(load.counts[3]).toBe(1);
  load.set(69, undefined);
  load.set(1, 40);
  expect(load.freeHosts).toBe(1);
  expect([...load.counts].reduce((sum, count) => sum + count, 0)).toBe(1);
  expect(load.counts[15]).toBe(1);
});

test('whoever looks for the holders of a piece among thousands is told where to look', () => {
  const step = fc.record({
    host: fc.constantFrom(0, 1, 33, 1_024, 1_056, 2_500),
    piece: fc.nat(5),
    is: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const holdings = new Holdings(seeded(1));
      const held = Array.from({ length: 6 }, () => new Set<number>());
      for (const { host, piece, is } of steps) {
        holdings.grow(piece + 1);
        holdings.growHosts(host + 1);
        const member = newMember(host, hostId(host), { role: 'normal', mayReadOrigin: false });
        const hosts = held[piece] ?? new Set();
        if (is === hosts.has(host)) continue;
        if (is) holdings.serve(member, piece);
        else holdings.unserve(member, piece);
        if (is) hosts.add(host);
        else hosts.delete(host);
      }
      for (let piece = 0; piece < holdings.pieces; piece += 1) {
        const marked = new Bits();
        const { markWords } = holdings;
        marked.words = holdings.marks.slice(piece * markWords, (piece + 1) * markWords);
        const words = new Set([...(held[piece] ?? [])].map((host) => host >>> 5));
        expect([...marked.values()]).toEqual([...words].sort((left, right) => left - right));
      }
    }),
  );
});

test('slots are counted for the host over all tasks, and watchers hear of each change', () => {
  const slots = new SlotTable();
  const [parent, child] = [hostId(1), hostId(2)];
  let heard = 0;
  const end = slots.watch(parent, () => {
    heard += 1;
  });
  slots.take(parent, child);
  slots.take(undefined, child);
  expect([slots.upUsed(parent), slots.downUsed(child)]).toEqual([1, 2]);
  slots.setLimits(parent, { up: 3, down: 4 });
  slots.setLimits(parent, { up: 3, down: 4 });
  expect(slots.host(parent)).toMatchObject({ upLimit: 3, downLimit: 4 });
  expect(heard).toBe(2);
  expect(slots.forget(parent)).toBe(false);
  slots.release(parent, child);
  end();
  expect(slots.forget(parent)).toBe(true);
  expect(slots.upUsed(parent)).toBe(0);
});

test('more hosts read the origin while that brings more, and not where it does not', () => {
  const most = (rate: (readers: number) => number): number => {
    const cap = new OriginCap();
    let seen = 0;
    for (let tenth = 1; tenth <= 3_000; tenth += 1) {
      cap.landed(rate(cap.readers) / 10, true, tenth * 100);
      seen = Math.max(seen, cap.readers);
    }
    return seen;
  };
  expect(most((readers) => 100 * readers)).toBe(32);
  expect(most(() => 1_000)).toBe(10);
  const fixed = new OriginCap(3);
  fixed.landed(1_000, true, 10_000);
  expect(fixed.readers).toBe(3);
});

test('of the upload slots of a host a scheduler has what the others leave, and an even part at least', () => {
  const share = (uploading: number, leasedHere: number, schedulers: number) =>
    upShare({ slotsUp: 16, uploading }, leasedHere, schedulers);
  expect(share(16, 0, 1)).toBe(16);
  expect(share(0, 0, 3)).toBe(16);
  expect(share(7, 5, 3)).toBe(14);
  expect(share(4, 5, 3)).toBe(16);
  expect(share(16, 0, 3)).toBe(6);
});
