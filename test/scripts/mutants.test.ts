import { describe, expect, test } from 'vitest';
import { createMachine, fromPromise, initialTransition, type MachineConfig, transition } from 'xstate';
import type { Part } from '../../scripts/mutate/chart.ts';
import { readCharts } from '../../scripts/mutate/charts.ts';
import { type Mutant, mutantsOf, mutated } from '../../scripts/mutate/mutants.ts';

/** A chart with each thing that a chart may have. */
const LAMP: Part = {
  id: 'lamp',
  initial: 'off',
  states: {
    off: { on: { press: 'on', hit: {}, wave: {} } },
    on: {
      type: 'parallel',
      entry: 'light',
      exit: ['darken', 'cool'],
      invoke: { src: 'watch', onDone: { target: 'off', actions: 'note' }, onError: 'broken' },
      after: { 100: 'off' },
      onDone: 'off',
      states: {
        colour: {
          initial: 'white',
          states: {
            white: { on: { turn: 'red' } },
            red: { on: { turn: [{ guard: 'isLate', target: '#lamp.broken' }, { target: 'white' }] } },
          },
        },
        heat: { initial: 'cold', states: { cold: { always: { target: 'warm' } }, warm: { type: 'final' } } },
      },
    },
    broken: { type: 'final', entry: 'mourn' },
  },
  on: { hit: '.broken', 'press.long': { actions: 'hum' } },
};

const mutants = mutantsOf(LAMP);
const lines = mutants.map(({ what, how }) => `${what} | ${how}`);

function mutant(what: string, how: string): Mutant {
  const found = mutants.find((each) => each.what === what && each.how === how);
  if (found === undefined) throw new Error(`there is no mutant ${what} | ${how}`);
  return found;
}

function machineOf(config: Part) {
  const watch = fromPromise(async () => {});
  return createMachine(config as MachineConfig<object, { type: string }>, { actors: { watch } });
}

/** A lamp that has heard these events. */
function lampAfter(config: Part, ...events: string[]) {
  const machine = machineOf(config);
  let [snapshot] = initialTransition(machine);
  for (const type of events) [snapshot] = transition(machine, snapshot, { type });
  return snapshot;
}

function stateAfter(config: Part, ...events: string[]): unknown {
  return lampAfter(config, ...events).value;
}

describe('the mutants of a chart', () => {
  test('are each state and each transition, and every list of actions', () => {
    expect(lines).toEqual([
      '(any): on hit → .broken | deleted',
      '(any): on press.long | deleted',
      'off | what leads here leads to on',
      'off: on press → on | deleted',
      'off: on hit | deleted',
      'on | what leads here leads to broken',
      'on | emptied',
      'on, entry | emptied',
      'on, exit | emptied',
      'on, invoke | deleted',
      'on: after 100 → off | deleted',
      'on: done → off | deleted',
      'on: invoke onDone → off | deleted',
      'on: invoke onDone → off | its actions deleted',
      'on: invoke onError → broken | deleted',
      'on.colour.white | what leads here leads to on.colour.red',
      'on.colour.white: on turn → red | deleted',
      'on.colour.red | what leads here leads to on.colour.white',
      'on.colour.red: on turn (1 of 2) → #lamp.broken | deleted',
      'on.colour.red: on turn (2 of 2) → white | deleted',
      'on.heat.cold | what leads here leads to on.heat.warm',
      'on.heat.cold: always → warm | deleted',
      'on.heat.warm | what leads here leads to on.heat.cold',
      'on.heat.warm | not final',
      'broken | what leads here leads to off',
      'broken | not final',
      'broken, entry | emptied',
    ]);
  });

  test('leave the chart that they are made of as it is', () => {
    const before = structuredClone(LAMP);
    for (const each of mutants) mutated(LAMP, each);
    expect(LAMP).toEqual(before);
  });

  test('differ from it and from each other', () => {
    const made = [LAMP, ...mutants.map((each) => mutated(LAMP, each))].map((config) =>
      JSON.stringify(config),
    );
    expect(new Set(made).size).toBe(mutants.length + 1);
  });
});

describe('a mutant', () => {
  test('without a transition stays where it was', () => {
    expect(stateAfter(LAMP, 'press')).not.toBe('off');
    expect(stateAfter(mutated(LAMP, mutant('off: on press → on', 'deleted')), 'press')).toBe('off');
  });

  test('without one of two ways of an event goes the other', () => {
    const { states } = mutated(LAMP, mutant('on.colour.red: on turn (1 of 2) → #lamp.broken', 'deleted'));
    expect(states).toHaveProperty('on.states.colour.states.red.on.turn', [{ target: 'white' }]);
  });

  test('without the word that an event is ignored hears it as the outer state does', () => {
    expect(stateAfter(LAMP, 'hit')).toBe('off');
    expect(stateAfter(mutated(LAMP, mutant('off: on hit', 'deleted')), 'hit')).toBe('broken');
  });

  test('that skips a state begins, and goes, beside it', () => {
    const skipped = mutated(LAMP, mutant('on', 'what leads here leads to broken'));
    expect(stateAfter(skipped, 'press')).toBe('broken');
    const begun = mutated(LAMP, mutant('off', 'what leads here leads to on'));
    expect(begun).toHaveProperty('initial', 'on');
    expect(begun).toHaveProperty('states.on.after.100', '#lamp.on');
    expect(begun).toHaveProperty('states.on.invoke.onDone', { target: '#lamp.on', actions: 'note' });
    expect(begun).toHaveProperty('states.on.onDone', '#lamp.on');
  });

  test('that skips an inner state leads to its sibling by the full name', () => {
    const skipped = mutated(LAMP, mutant('on.colour.red', 'what leads here leads to on.colour.white'));
    expect(skipped).toHaveProperty('states.on.states.colour.states.white.on.turn', '#lamp.on.colour.white');
  });

  test('with an emptied state does nothing by itself there, and keeps what is within', () => {
    const emptied = mutated(LAMP, mutant('on', 'emptied'));
    expect(Object.keys((emptied['states'] as Record<string, object>)['on'] ?? {})).toEqual([
      'type',
      'states',
    ]);
  });

  test('with an end that is none goes on', () => {
    expect(lampAfter(LAMP, 'press', 'hit').status).toBe('done');
    const endless = mutated(LAMP, mutant('broken', 'not final'));
    expect(lampAfter(endless, 'press', 'hit').status).toBe('active');
  });

  test('without what it invoked, or the actions of a way, keeps the rest', () => {
    expect(mutated(LAMP, mutant('on, invoke', 'deleted'))).not.toHaveProperty('states.on.invoke');
    const mute = mutated(LAMP, mutant('on: invoke onDone → off', 'its actions deleted'));
    expect(mute).toHaveProperty('states.on.invoke.onDone', { target: 'off' });
    expect(mutated(LAMP, mutant('on, exit', 'emptied'))).not.toHaveProperty('states.on.exit');
  });
});

test('every mutant of every chart is a chart that XState takes', async () => {
  const charts = await readCharts();
  expect(charts.length).toBeGreaterThanOrEqual(4);
  for (const { machine } of charts) {
    const all = mutantsOf(machine.config);
    expect(all.length).toBeGreaterThan(10);
    for (const each of all) expect(() => machineOf(mutated(machine.config, each))).not.toThrow();
  }
});
