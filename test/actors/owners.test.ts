import { expect, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { Owners } from '../../actors/owners.ts';

test('actions of one machine reach the owner of the actor they run in', () => {
  const owners = new Owners<{ readonly name: string }>();
  const told: string[] = [];
  const machine = createMachine({
    on: { tell: { actions: ({ self }) => void told.push(owners.of(self).name) } },
  });
  const actors = ['a', 'b', 'c'].map((name) => {
    const actor = createActor(machine);
    owners.set(actor, { name });
    return actor.start();
  });
  for (const index of [2, 0, 1]) actors[index]?.send({ type: 'tell' });
  expect(told).toEqual(['c', 'a', 'b']);
});

test('an actor without an owner is a defect', () => {
  expect(() => new Owners().of({})).toThrow('without an owner');
});
