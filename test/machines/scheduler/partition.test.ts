import { expect, test } from 'vitest';
import { createActor, SimulatedClock } from 'xstate';
import { LIMITS } from '../../../core/limits.ts';
import {
  type PartitionEffects,
  type PartitionEvent,
  partitionMachine,
} from '../../../machines/scheduler/partition.ts';
import { eventTypes, ignored, pathOf, reachable, walkedTypes } from '../explore.ts';

const told: readonly PartitionEvent[] = [
  { type: 'claim.due' },
  { type: 'heir.appeared' },
  { type: 'heir.vanished' },
  { type: 'ownership.ended' },
  { type: 'epoch.refused' },
];
const CLAIMED = 'xstate.done.actor.0.partition.claiming';
const UNCLAIMED = 'xstate.error.actor.0.partition.claiming';
const CENSUS = 'xstate.after.censusMs.partition.owned.recovering';
const OWNING = [CLAIMED, CENSUS];
const events = [
  ...told,
  { type: CLAIMED, output: 7 } as never,
  { type: UNCLAIMED, error: new Error('not free') } as never,
  { type: CENSUS } as never,
];

/** A partition that notes what is done; its claims are settled by the test. */
function partition() {
  const done: string[] = [];
  const claims: PromiseWithResolvers[] = [];
  const effects: PartitionEffects = {
    claim: () =>
      new Promise((resolve, reject) => {
        claims.push({ resolve, reject });
      }),
    tellUnclaimed: () => void done.push('unclaimed'),
    begin: (epoch) => void done.push(`begin ${epoch}`),
    recovered: () => void done.push('recovered'),
    end: () => void done.push('end'),
  };
  const clock = new SimulatedClock();
  const actor = createActor(partitionMachine, { input: effects, clock }).start();
  const state = () => pathOf(actor.getSnapshot().value);
  const send = (type: PartitionEvent['type']) => {
    actor.send({ type });
    return state();
  };
  /** Claims it under an epoch. */
  const own = async (epoch: number) => {
    send('claim.due');
    claims.at(-1)?.resolve(epoch);
    await Promise.resolve();
    return state();
  };
  return { done, claims, clock, state, send, own };
}

interface PromiseWithResolvers {
  resolve(epoch: number): void;
  reject(error: Error): void;
}

const ground = { machine: partitionMachine, events, input: inert() };

function inert(): PartitionEffects {
  const nothing = () => {};
  return {
    claim: () => new Promise(nothing),
    tellUnclaimed: nothing,
    begin: nothing,
    recovered: nothing,
    end: nothing,
  };
}

test('every state of a partition is reached', () => {
  expect(walkedTypes(ground)).toEqual(eventTypes(partitionMachine));
  expect([...reachable(ground).keys()].sort()).toEqual([
    'claiming',
    'lost',
    'owned.recovering',
    'owned.releasing',
    'owned.serving',
  ]);
});

test('every event does something in every state of a partition, but for these', () => {
  // An error that nobody asked for ends any actor.
  const walked = { ...ground, events: events.filter(({ type }) => String(type) !== UNCLAIMED) };
  expect(ignored(walked)).toEqual({
    lost: [...OWNING, 'epoch.refused', 'heir.appeared', 'heir.vanished', 'ownership.ended'].sort(),
    claiming: ['claim.due', 'epoch.refused', 'heir.appeared', 'heir.vanished', CENSUS].sort(),
    'owned.recovering': [CLAIMED, 'claim.due', 'epoch.refused', 'heir.appeared', 'heir.vanished'].sort(),
    'owned.serving': [...OWNING, 'claim.due', 'heir.vanished'].sort(),
    'owned.releasing': [...OWNING, 'claim.due', 'heir.appeared'].sort(),
  });
});

test('it is served from the claim on, and recovered after the census', async () => {
  const { done, clock, own, state } = partition();
  expect(await own(5)).toBe('owned.recovering');
  expect(done).toEqual(['begin 5']);
  clock.increment(LIMITS.censusMs);
  expect(state()).toBe('owned.serving');
  expect(done).toEqual(['begin 5', 'recovered']);
});

test('a claim that fails leaves it lost, and it is claimed again', async () => {
  const { done, claims, send, own, state } = partition();
  send('claim.due');
  claims[0]?.reject(new Error('another was first'));
  await Promise.resolve();
  expect([state(), done]).toEqual(['lost', ['unclaimed']]);
  expect(await own(6)).toBe('owned.recovering');
});

test('whatever it is owned as, it ends when another owns it', async () => {
  for (const before of [[], ['census'], ['census', 'heir']]) {
    const { done, clock, own, send } = partition();
    await own(5);
    if (before.includes('census')) clock.increment(LIMITS.censusMs);
    if (before.includes('heir')) expect(send('heir.appeared')).toBe('owned.releasing');
    expect(send('ownership.ended')).toBe('lost');
    expect(done.at(-1)).toBe('end');
  }
});

test('it is kept where its heir vanishes', async () => {
  const { done, clock, own, send } = partition();
  await own(5);
  clock.increment(LIMITS.censusMs);
  send('heir.appeared');
  expect(send('heir.vanished')).toBe('owned.serving');
  expect(done).not.toContain('end');
});

test('an epoch that is refused is claimed anew, once a second at most', async () => {
  const { done, claims, clock, own, send, state } = partition();
  await own(5);
  expect(send('epoch.refused')).toBe('owned.recovering');
  clock.increment(LIMITS.censusMs);
  expect(send('epoch.refused')).toBe('claiming');
  expect(done).toEqual(['begin 5', 'recovered', 'end']);
  claims.at(-1)?.resolve(9);
  await Promise.resolve();
  expect([state(), done.at(-1)]).toEqual(['owned.recovering', 'begin 9']);
  clock.increment(LIMITS.censusMs);
  send('heir.appeared');
  expect(send('epoch.refused')).toBe('claiming');
});

test('a claim that another overtakes begins nothing', async () => {
  const { done, claims, send, state } = partition();
  send('claim.due');
  expect(send('ownership.ended')).toBe('lost');
  claims[0]?.resolve(5);
  await Promise.resolve();
  expect([state(), done]).toEqual(['lost', []]);
});
