import { describe, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { type HostEvent, hostMachine } from '../../../machines/host/host.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const events: readonly HostEvent[] = [
  { type: 'bus.connected' },
  { type: 'bus.disconnected' },
  { type: 'announce.accepted' },
  { type: 'announce.failed' },
  { type: 'announce.due' },
  { type: 'census.received' },
  { type: 'drain' },
  { type: 'drained' },
];
const ground = { machine: hostMachine, events };

describe('the graph of a host', () => {
  test('every state is reached, and only the last one ends it', () => {
    expect(walkedTypes(ground)).toEqual(eventTypes(hostMachine));
    expect([...reachable(ground).keys()].sort()).toEqual(Object.keys(hostMachine.states).sort());
    expect(finals(ground)).toEqual(['stopped']);
    expect(stranded(ground)).toEqual([]);
  });

  test('every event does something in every state, but for these', () => {
    expect(ignored(ground)).toEqual({
      // It tells what it holds when it is announced; nobody listens before.
      connecting: ['bus.disconnected', 'census.received', 'drained'],
      announced: ['announce.accepted', 'bus.connected', 'drained'],
      isolated: ['bus.disconnected', 'census.received', 'drained'],
      // It is on its way out: no word of the swarm calls it back.
      draining: [
        'announce.accepted',
        'announce.due',
        'announce.failed',
        'bus.connected',
        'bus.disconnected',
        'census.received',
      ],
    });
  });
});

/** A host that notes which of its actions run, in order. */
function watched() {
  const done: string[] = [];
  const note = (name: string) => () => void done.push(name);
  const actor = createActor(
    hostMachine.provide({
      actions: {
        announce: note('announce'),
        retryLater: note('retryLater'),
        sendHoldings: note('sendHoldings'),
        noteIsolation: note('noteIsolation'),
        noteReturn: note('noteReturn'),
        drain: note('drain'),
      },
    }),
  ).start();
  /** What these events did, action by action. */
  const send = (...types: HostEvent['type'][]): string[] => {
    done.length = 0;
    for (const type of types) actor.send({ type });
    return [...done];
  };
  return { actor, send, value: () => actor.getSnapshot().value };
}

describe('a host', () => {
  test('announces itself once NATS is there, and tells what it holds once it is accepted', () => {
    const host = watched();
    expect(host.send('bus.connected')).toEqual(['announce']);
    expect(host.value()).toBe('connecting');
    expect(host.send('announce.accepted')).toEqual(['sendHoldings']);
    expect(host.value()).toBe('announced');
  });

  test('tries again later when no scheduler answers, in whatever state it is', () => {
    const host = watched();
    expect(host.send('announce.failed', 'announce.due')).toEqual(['retryLater', 'announce']);
    host.send('announce.accepted');
    expect(host.send('announce.failed', 'announce.due')).toEqual(['retryLater', 'announce']);
    host.send('bus.disconnected');
    expect(host.send('announce.failed', 'announce.due')).toEqual(['retryLater', 'announce']);
  });

  test('renews its token without telling again what it holds', () => {
    const host = watched();
    host.send('bus.connected', 'announce.accepted');
    expect(host.send('announce.due', 'announce.accepted')).toEqual(['announce']);
  });

  test('announces itself to a scheduler just born, and tells it what it holds', () => {
    const host = watched();
    host.send('bus.connected', 'announce.accepted');
    expect(host.send('census.received')).toEqual(['announce', 'sendHoldings']);
    expect(host.value()).toBe('announced');
  });

  test('is isolated without NATS, and comes back only when a scheduler accepts it', () => {
    const host = watched();
    host.send('bus.connected', 'announce.accepted');
    expect(host.send('bus.disconnected')).toEqual(['noteIsolation']);
    expect(host.send('bus.connected')).toEqual(['announce']);
    expect(host.value()).toBe('isolated');
    expect(host.send('announce.accepted')).toEqual(['noteReturn', 'sendHoldings']);
    expect(host.value()).toBe('announced');
  });

  test('drains from every state, once, and does nothing after', () => {
    const before: HostEvent['type'][][] = [
      [],
      ['announce.accepted'],
      ['announce.accepted', 'bus.disconnected'],
    ];
    for (const path of before) {
      const host = watched();
      host.send(...path);
      expect(host.send('drain')).toEqual(['drain']);
      expect(host.send('announce.due', 'announce.failed', 'announce.accepted', 'bus.connected')).toEqual([]);
      expect(host.value()).toBe('draining');
      host.send('drained');
      expect(host.actor.getSnapshot().status).toBe('done');
    }
  });
});
