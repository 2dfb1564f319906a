import { expect, test } from 'vitest';
import { PieceActor } from '../../../../actors/host/piece/piece.ts';
import { ShoalError } from '../../../../core/errors.ts';
import type { Parent } from '../../../../core/sync-messages.ts';

const right = new Uint8Array(32).fill(1);
const wrong = new Uint8Array(32).fill(2);
const parent = 'a'.repeat(32) as Parent;

function watched(broken?: Error) {
  const records: number[] = [];
  const actor = new PieceActor({ piece: 7, parent }, (piece) => {
    if (broken) throw broken;
    records.push(piece);
  });
  return { actor, records };
}

function thrownBy(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('a piece with the right hash is recorded once', () => {
  const { actor, records } = watched();
  expect(actor.ended).toBe(false);
  actor.started();
  actor.finish(right, 10, right);
  expect(records).toEqual([7]);
  expect(actor.ended).toBe(true);
});

test('a piece with another hash is not recorded, and its parent is named', () => {
  const { actor, records } = watched();
  actor.started();
  const error = thrownBy(() => actor.finish(wrong, 10, right));
  expect(error).toMatchObject({ code: 'ERR_PIECE_CORRUPT', details: { piece: 7, parent } });
  expect(records).toEqual([]);
  expect(actor.ended).toBe(true);
});

test('a piece without a known hash is not recorded, and blames nobody', () => {
  const { actor, records } = watched();
  actor.started();
  expect(thrownBy(() => actor.finish(right, 10, undefined))).toMatchObject({
    code: 'ERR_PIECE_HASH_UNKNOWN',
  });
  expect(records).toEqual([]);
});

test('a record that cannot be written fails the piece with its own error', () => {
  const full = new ShoalError('ERR_STORE_FULL', 'no space');
  const { actor } = watched(full);
  actor.started();
  expect(thrownBy(() => actor.finish(right, 10, right))).toBe(full);
});

test('an error of no known kind becomes one', () => {
  const { actor } = watched(new TypeError('odd'));
  actor.started();
  expect(thrownBy(() => actor.finish(right, 10, right))).toMatchObject({
    code: 'ERR_INTERNAL',
    message: 'odd',
  });
});

test('a piece that failed stays so, and may fail again', () => {
  const { actor, records } = watched();
  actor.started();
  actor.fail('stalled');
  actor.fail('unreachable');
  expect(actor.ended).toBe(true);
  expect(records).toEqual([]);
});
