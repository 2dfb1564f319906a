import { describe, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { type TaskEvent, taskMachine } from '../../../machines/scheduler/task.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const error = { code: 'ERR_DIGEST_MISMATCH' as const, message: 'other content', retryable: false };
const events: readonly TaskEvent[] = [
  { type: 'probe.assigned' },
  { type: 'geometry.known' },
  { type: 'work.began' },
  { type: 'work.ended' },
  { type: 'claim.dropped' },
  { type: 'content.refuted', error },
  { type: 'idle.expired' },
  { type: 'remove' },
];
const ground = { machine: taskMachine, events };

describe('the graph of a task', () => {
  test('every state is reached, and only the last one ends it', () => {
    expect(walkedTypes(ground)).toEqual(eventTypes(taskMachine));
    expect([...reachable(ground).keys()].sort()).toEqual(Object.keys(taskMachine.states).sort());
    expect(finals(ground)).toEqual(['retired']);
    expect(stranded(ground)).toEqual([]);
  });

  test('every event does something in every state, but for these', () => {
    expect(ignored(ground)).toEqual({
      pending: ['claim.dropped', 'work.began'],
      resolving: ['claim.dropped', 'probe.assigned', 'work.began'],
      distributing: ['geometry.known', 'probe.assigned', 'work.began'],
      idle: ['probe.assigned', 'work.ended'],
      // Somebody with another source begins a new task; this one only waits for its end.
      failed: [
        'claim.dropped',
        'content.refuted',
        'geometry.known',
        'probe.assigned',
        'work.began',
        'work.ended',
      ],
    });
  });
});

const ACTIONS = [
  'recordCreated',
  'recordManifest',
  'recordFailed',
  'recordRetired',
  'startIdleTimer',
  'stopIdleTimer',
] as const;

/** A task that notes which of its actions run, in order. */
function watched() {
  const done: string[] = [];
  const notes = Object.fromEntries(ACTIONS.map((name) => [name, () => void done.push(name)]));
  const actor = createActor(taskMachine.provide({ actions: notes })).start();
  /** What these events did, action by action. */
  const send = (...types: Exclude<TaskEvent['type'], 'content.refuted'>[]): string[] => {
    done.length = 0;
    for (const type of types) actor.send({ type });
    return [...done];
  };
  const refute = () => {
    done.length = 0;
    actor.send({ type: 'content.refuted', error });
    return [...done];
  };
  return { actor, send, refute, value: () => actor.getSnapshot().value };
}

describe('a task', () => {
  test('is recorded once its length is known, whether it was asked for or came with the first host', () => {
    const probed = watched();
    expect(probed.send('probe.assigned')).toEqual([]);
    expect(probed.value()).toBe('resolving');
    expect(probed.send('geometry.known')).toEqual(['recordCreated']);
    const known = watched();
    expect(known.send('geometry.known')).toEqual(['recordCreated']);
    expect(known.value()).toBe('distributing');
  });

  test('is recorded once however often its length is told', () => {
    const task = watched();
    task.send('geometry.known');
    expect(task.send('geometry.known', 'probe.assigned', 'work.began')).toEqual([]);
  });

  test('writes its hashes down and waits for its end when nobody works on it', () => {
    const task = watched();
    task.send('geometry.known');
    expect(task.send('work.ended', 'work.ended')).toEqual(['recordManifest', 'startIdleTimer']);
    expect(task.value()).toBe('idle');
  });

  test('waits for its end too when the hosts leave before its length is known', () => {
    for (const path of [[], ['probe.assigned']] as const) {
      const task = watched();
      task.send(...path);
      expect(task.send('work.ended')).toContain('startIdleTimer');
    }
  });

  test('goes back to where it was when a host comes, its length known or not', () => {
    for (const path of [[], ['probe.assigned']] as const) {
      const task = watched();
      task.send(...path, 'work.ended');
      expect(task.send('work.began')).toEqual(['stopIdleTimer']);
      expect(task.value()).toBe('pending');
      expect(task.send('probe.assigned', 'geometry.known')).toEqual(['recordCreated']);
      task.send('work.ended', 'work.began');
      expect(task.value()).toBe('distributing');
    }
  });

  test('is recorded when its length becomes known while nobody works on it', () => {
    const task = watched();
    task.send('work.ended');
    expect(task.send('geometry.known')).toEqual(['stopIdleTimer', 'recordCreated']);
    expect(task.value()).toBe('distributing');
  });

  test('whose claim was dropped does not know its length any more', () => {
    for (const path of [['geometry.known'], ['geometry.known', 'work.ended']] as const) {
      const task = watched();
      task.send(...path, 'claim.dropped', 'work.ended', 'work.began');
      expect(task.value()).toBe('pending');
    }
  });

  test('stops waiting for its end when a host comes', () => {
    const task = watched();
    task.send('geometry.known', 'work.ended');
    expect(task.send('work.began')[0]).toBe('stopIdleTimer');
    expect(task.value()).toBe('distributing');
  });

  test('begins from nothing when its claim is dropped, at work or idle', () => {
    for (const path of [['geometry.known'], ['geometry.known', 'work.ended']] as const) {
      const task = watched();
      task.send(...path);
      task.send('claim.dropped');
      expect(task.value()).toBe('pending');
    }
  });

  test('keeps its error when refuted, tells it once, and ends after a while', () => {
    for (const path of [
      [],
      ['probe.assigned'],
      ['geometry.known'],
      ['geometry.known', 'work.ended'],
    ] as const) {
      const task = watched();
      task.send(...path);
      expect(task.refute().slice(-2)).toEqual(['recordFailed', 'startIdleTimer']);
      expect(task.actor.getSnapshot().context.error).toEqual(error);
      expect(task.refute()).toEqual([]);
      expect(task.send('geometry.known', 'work.began', 'claim.dropped')).toEqual([]);
      expect(task.value()).toBe('failed');
      expect(task.send('idle.expired')).toEqual(['stopIdleTimer', 'recordRetired']);
      expect(task.actor.getSnapshot().status).toBe('done');
    }
  });

  test('is retired from every state by a removal', () => {
    for (const path of [
      [],
      ['probe.assigned'],
      ['geometry.known'],
      ['geometry.known', 'work.ended'],
    ] as const) {
      const task = watched();
      task.send(...path);
      expect(task.send('remove').slice(-1)).toEqual(['recordRetired']);
      expect(task.value()).toBe('retired');
    }
  });
});
