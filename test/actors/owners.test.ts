import { expect, test } from 'vitest';
import { PieceActor } from '../../actors/host/piece/piece.ts';
import { Owners } from '../../actors/owners.ts';

test('actions of one machine reach the owner of the actor they run in', () => {
  const stored: string[] = [];
  const hash = new Uint8Array(32);
  const pieces = ['a', 'b', 'c'].map((name) => {
    const piece = new PieceActor({ piece: 0, parent: 'origin' }, () => void stored.push(name));
    piece.started();
    return piece;
  });
  for (const index of [2, 0, 1]) pieces[index]?.finish(hash, 1, undefined);
  expect(stored).toEqual(['c', 'a', 'b']);
});

test('an actor without an owner is a defect', () => {
  expect(() => new Owners().of({})).toThrow('without an owner');
});
