import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { Bitfield } from '../../core/bitfield.ts';
import { decodeHave, encodeHave } from '../../dataplane/have-body.ts';
import { fakeTask } from './fixture.ts';

const packr = new Packr({ useRecords: false });
const good = {
  length: 1000,
  pieceLength: 100,
  pieces: 10,
  have: new Uint8Array(2),
  hashes: new Uint8Array(0),
};

test('what is encoded is decoded, whatever is held', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.nat(199)),
      fc.boolean(),
      (pieces, held, known) => {
        const task = fakeTask(pieces * 10, 10);
        if (!known) task.length = undefined;
        task.have = new Bitfield(pieces);
        for (const piece of held) task.have.add(piece);
        const reply = decodeHave(encodeHave(task));
        expect(reply?.length).toBe(known ? pieces * 10 : undefined);
        expect([...(reply?.have.ones() ?? [])]).toEqual([...task.have.ones()]);
        expect(reply?.hashes.map(({ piece }) => piece)).toEqual([...task.have.ones()]);
      },
    ),
    { numRuns: 50 },
  );
});

test('a body that contradicts itself is refused', () => {
  expect(decodeHave(packr.pack(good))).toBeDefined();
  for (const change of [
    { length: 1001 },
    { length: -1 },
    { length: 1.5 },
    { length: null },
    { pieceLength: 0 },
    { pieceLength: 2 ** 31 },
    { pieces: 11 },
    { pieces: 1e9, length: undefined },
    { have: new Uint8Array(3) },
    { have: [0, 0] },
    { hashes: new Uint8Array(35) },
    { hashes: new Uint8Array(36) },
    { hashes: 'x' },
  ]) {
    expect(decodeHave(packr.pack({ ...good, ...change })), JSON.stringify(change)).toBeUndefined();
  }
});

test('a cut or flipped body is refused or read, and never throws', () => {
  const task = fakeTask(1000, 100);
  const body = Buffer.from(encodeHave(task));
  for (let at = 0; at < body.length; at += 1) expect(decodeHave(body.subarray(0, at))).toBeUndefined();
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const flipped = Buffer.from(body);
      flipped[at] = (flipped[at] ?? 0) ^ by;
      const reply = decodeHave(flipped);
      return reply === undefined || reply.have.length <= 262_144;
    }),
    { numRuns: 500 },
  );
});
