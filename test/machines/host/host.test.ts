import { expect, test } from 'vitest';
import { type HostEffects, type HostEvent, hostMachine, hostState } from '../../../machines/host/host.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const effects: HostEffects = {
  announce: () => new Promise(() => {}),
  tellUnanswered() {},
  tellJoined() {},
  beat() {},
  jitterMs: () => 1,
  retryMs: () => 1,
  sendHoldings() {},
  noteIsolation() {},
  noteReturn() {},
  drain() {},
};

const told: readonly HostEvent[] = [
  { type: 'bus.connected' },
  { type: 'bus.disconnected' },
  { type: 'census.received' },
  { type: 'drain' },
  { type: 'announce.due' },
  { type: 'announce.accepted' },
  { type: 'holdings.due' },
];

/** What XState tells of the end of what was invoked, and of time. */
const ENDS = [
  {
    type: 'xstate.done.actor.0.host.working.announcement.asking',
    output: { announceMs: 2_000, aliveMs: 1_000 },
  },
  { type: 'xstate.error.actor.0.host.working.announcement.asking', error: new Error('no answer') },
  { type: 'xstate.after.retryMs.host.working.announcement.unanswered' },
  { type: 'xstate.after.announceMs.host.working.announcement.accepted' },
  { type: 'xstate.after.jitterMs.host.working.holdings.untold' },
  { type: 'xstate.after.aliveMs.host.working.life.beating' },
];
const ground = { machine: hostMachine, events: [...told, ...(ENDS as never[])], input: effects };

/** What is ignored wherever a host is in this state, whatever else it does. */
function ignoredWhile(state: string): string[] {
  const tables = Object.entries(ignored(ground)).filter(([name]) => name.includes(state));
  const [first = [], ...others] = tables.map(([, types]) => types);
  return first.filter((type) => !type.startsWith('xstate.') && others.every((types) => types.includes(type)));
}

test('every state is reached, and only the last one ends it', () => {
  expect(walkedTypes(ground)).toEqual(eventTypes(hostMachine));
  const seen = new Set([...reachable(ground).keys()].flatMap((name) => name.split(' & ')));
  expect([...seen].sort()).toEqual(
    [
      'announcement.accepted',
      'announcement.asking',
      'announcement.resting',
      'announcement.unanswered',
      'holdings.told',
      'holdings.untold',
      'life.beating',
      'stopped',
      'working.membership.announced',
      'working.membership.connecting',
      'working.membership.isolated',
    ].sort(),
  );
  expect(finals(ground)).toEqual(['stopped']);
  expect(stranded(ground)).toEqual([]);
});

test('every event does something, but for these', () => {
  expect(ignoredWhile('membership.connecting')).toEqual(['bus.disconnected']);
  expect(ignoredWhile('membership.announced')).toEqual(['announce.accepted', 'bus.connected']);
  expect(ignoredWhile('membership.isolated')).toEqual(['bus.disconnected']);
  // One question at a time.
  expect(ignoredWhile('announcement.asking')).toEqual(['announce.due']);
  expect(ignoredWhile('holdings.untold')).toEqual(['holdings.due']);
});

test('where a host is has one word, whatever else it does', () => {
  for (const [name, snapshot] of reachable(ground)) {
    expect(name).toContain(hostState(snapshot as never));
  }
});
