import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import { type JobEffects, type JobEvent, type JobTurn, jobMachine } from '../../../machines/scheduler/job.ts';
import { eventTypes, finals, ignored, pathOf, reachable, stranded, walkedTypes } from '../explore.ts';

const done = (state: string) => `xstate.done.actor.0.job.${state}`;
const failed = (state: string) => `xstate.error.actor.0.job.${state}`;
const LEFT = new Error('left');
const WORKING = ['resolving', 'choosing', 'working'];
const ENDING = ['settling', 'failing', 'halting'];
const told: readonly JobEvent[] = [{ type: 'cancel.asked' }, { type: 'job.taken' }];
const events = [
  ...told,
  ...(['work', 'halt', 'over'] as const).map((output: JobTurn) => ({ type: done('beginning'), output })),
  ...[...WORKING, ...ENDING].map((state) => ({ type: done(state), output: undefined })),
  ...['beginning', ...WORKING, ...ENDING].map((state) => ({ type: failed(state), error: LEFT })),
  ...WORKING.map((state) => ({ type: failed(state), error: new Error('none') })),
] as never[];

function inert(): JobEffects {
  const never = () => new Promise<never>(() => {});
  return {
    ...{ begin: never, resolve: never, choose: never, work: never, settle: never, fail: never, halt: never },
    isLeft: (error) => error === LEFT,
  };
}

const ground = { machine: jobMachine, events, input: inert() };

test('every state of a job is reached, and leads to an end', () => {
  expect(walkedTypes(ground)).toEqual(eventTypes(jobMachine));
  expect([...reachable(ground).keys()].sort()).toEqual(
    ['beginning', ...WORKING, ...ENDING, 'ended', 'left'].sort(),
  );
  expect(finals(ground)).toEqual(['ended', 'left']);
  expect(stranded(ground)).toEqual([]);
});

test('a job is cancelled while it is found out and worked on, and taken at any time', () => {
  // An error that nobody asked for ends any actor.
  const walked = events.filter(({ type }: JobEvent) => !type.startsWith('xstate.error'));
  const idle = ignored({ ...ground, events: walked });
  for (const state of WORKING) expect(idle[state], state).not.toContain('cancel.asked');
  for (const state of ['beginning', 'settling', 'halting'])
    expect(idle[state], state).toContain('cancel.asked');
  for (const state of Object.keys(idle)) expect(idle[state], state).not.toContain('job.taken');
});

test('what runs is stopped when the job is to end', async () => {
  const stopped: string[] = [];
  const actor = createActor(jobMachine, {
    input: {
      ...inert(),
      begin: () => Promise.resolve('work'),
      resolve: () => Promise.resolve(),
      choose: () => Promise.resolve(),
      work: (signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => stopped.push('work'));
        }),
      halt: () => Promise.resolve(),
    },
  }).start();
  const state = () => pathOf(actor.getSnapshot().value);
  await expect.poll(state).toBe('working');
  actor.send({ type: 'cancel.asked' });
  expect([state(), stopped]).toEqual(['halting', ['work']]);
  await expect.poll(state).toBe('ended');
});
