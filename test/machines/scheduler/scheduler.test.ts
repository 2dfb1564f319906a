import { expect, test } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { LIMITS } from '../../../core/limits.ts';
import { type SchedulerEffects, schedulerMachine } from '../../../machines/scheduler/scheduler.ts';
import { pathOf } from '../explore.ts';

/** A scheduler whose store answers as the test says, and that notes what it does. */
function scheduler(there = true) {
  const done: string[] = [];
  const is = { there, termOver: false, storeless: false };
  const answer = async (what: string) => {
    done.push(what);
    if (!is.there) throw new Error('out of reach');
  };
  const effects: SchedulerEffects = {
    enter: () => answer('enter'),
    renew: () => answer('renew'),
    isTermOver: () => is.termOver,
    isStoreless: () => is.storeless,
    noteServing: () => void done.push('serving'),
    noteLost: () => void done.push('lost'),
    noteUnguided: () => void done.push('unguided'),
    depart: () => void done.push('depart'),
  };
  const clock = new SimulatedClock();
  const actor = createActor(schedulerMachine, { input: effects, clock }).start();
  const settle = async () => {
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  /** What was done in that time, in steps that let promises go on. */
  const pass = async (ms: number): Promise<string[]> => {
    await settle();
    for (let passed = 0; passed < ms; passed += 50) {
      clock.increment(50);
      await settle();
    }
    return done.splice(0);
  };
  return { actor, is, done, pass, state: () => pathOf(actor.getSnapshot().value) };
}

test('it enters, serves, and renews its heartbeat', async () => {
  const { pass, actor, state } = scheduler();
  expect(await pass(0)).toEqual(['enter', 'serving']);
  expect(await pass(2 * LIMITS.beatMs)).toEqual(['renew', 'renew']);
  actor.send({ type: 'beat.due' });
  expect(await pass(0)).toEqual(['renew']);
  expect(state()).toBe('present.heart.serving.resting & stay.staying');
});

test('a renewal that fails is tried again, and lost it is when the term is over', async () => {
  const { is, pass } = scheduler();
  await pass(0);
  is.there = false;
  expect(await pass(LIMITS.beatMs + 200)).toEqual(['renew', 'renew']);
  is.termOver = true;
  expect(await pass(200)).toEqual(['renew', 'lost', 'enter']);
  is.there = true;
  is.termOver = false;
  expect(await pass(200)).toEqual(['enter', 'serving']);
});

test('without a store for long it goes by presence, and looks for the store again', async () => {
  const { is, pass, actor } = scheduler(false);
  expect(new Set(await pass(500))).toEqual(new Set(['enter']));
  is.storeless = true;
  expect(await pass(200)).toContain('unguided');
  expect(await pass(LIMITS.storelessMs)).toEqual(['enter']);
  actor.send({ type: 'beat.due' });
  expect(await pass(0)).toEqual(['enter']);
  is.there = true;
  expect(await pass(LIMITS.storelessMs)).toEqual(['enter', 'serving']);
});

test('who leaves serves on, and is gone when all is taken, or after a while', async () => {
  for (const isEmptied of [true, false]) {
    const { actor, pass, state } = scheduler();
    await pass(0);
    actor.send({ type: 'leave' });
    expect(await pass(0)).toEqual([]);
    expect(state()).toBe('present.heart.serving.resting & stay.releasing');
    if (isEmptied) actor.send({ type: 'emptied' });
    expect((await pass(isEmptied ? 0 : LIMITS.leaveMs)).at(-1)).toBe('depart');
    expect(state()).toBe('left');
  }
});
