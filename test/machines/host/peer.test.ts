import { describe, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { type PeerEvent, peerMachine } from '../../../machines/host/peer.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const error = { code: 'ERR_STORE_FULL' as const, message: 'no space', retryable: true };
const events: readonly PeerEvent[] = [
  { type: 'sync.answered' },
  { type: 'sync.silent' },
  { type: 'pieces.completed' },
  { type: 'whole.agreed' },
  { type: 'whole.differed' },
  { type: 'task.failed', error },
  { type: 'leave' },
  { type: 'idle.expired' },
];
const ground = { machine: peerMachine, events };

describe('the graph of a peer', () => {
  test('every state is reached, and two of them end it', () => {
    expect(walkedTypes(ground)).toEqual(eventTypes(peerMachine));
    expect([...reachable(ground).keys()].sort()).toEqual(Object.keys(peerMachine.states).sort());
    expect(finals(ground)).toEqual(['failed', 'left']);
    expect(stranded(ground)).toEqual([]);
  });

  test('every event does something in every state, but for these', () => {
    expect(ignored(ground)).toEqual({
      joining: ['idle.expired', 'whole.agreed', 'whole.differed'],
      transferring: ['idle.expired', 'sync.answered', 'whole.agreed', 'whole.differed'],
      adrift: ['idle.expired', 'sync.silent', 'whole.agreed', 'whole.differed'],
      // Nothing is fetched: whether a scheduler answers does not matter.
      verifying: ['idle.expired', 'pieces.completed', 'sync.answered', 'sync.silent'],
      // All is there and right; a scheduler that gave the task up cannot take it back.
      serving: ['pieces.completed', 'sync.answered', 'sync.silent', 'task.failed', 'whole.agreed'],
    });
  });
});

const ACTIONS = ['startAdrift', 'stopAdrift', 'compareWhole', 'complete', 'giveUp', 'release'] as const;

/** A peer that notes which of its actions run, in order. */
function watched() {
  const done: string[] = [];
  const notes = Object.fromEntries(ACTIONS.map((name) => [name, () => void done.push(name)]));
  const actor = createActor(peerMachine.provide({ actions: notes })).start();
  /** What these events did, action by action. */
  const send = (...types: Exclude<PeerEvent['type'], 'task.failed'>[]): string[] => {
    done.length = 0;
    for (const type of types) actor.send({ type });
    return [...done];
  };
  const fail = () => {
    done.length = 0;
    actor.send({ type: 'task.failed', error });
    return [...done];
  };
  return { actor, send, fail, value: () => actor.getSnapshot().value };
}

describe('a peer', () => {
  test('joins, transfers, compares the whole, and only then completes', () => {
    const peer = watched();
    expect(peer.send('sync.answered')).toEqual([]);
    expect(peer.value()).toBe('transferring');
    expect(peer.send('pieces.completed')).toEqual(['compareWhole']);
    expect(peer.send('whole.agreed')).toEqual(['complete']);
    expect(peer.value()).toBe('serving');
  });

  test('compares the whole too when all pieces were there at the start', () => {
    const peer = watched();
    expect(peer.send('pieces.completed')).toEqual(['compareWhole']);
    expect(peer.value()).toBe('verifying');
  });

  test('never completes from a word about the whole that nobody asked for', () => {
    for (const path of [[], ['sync.answered'], ['sync.silent']] as const) {
      const peer = watched();
      peer.send(...path);
      expect(peer.send('whole.agreed')).toEqual([]);
      expect(peer.value()).not.toBe('serving');
    }
  });

  test('begins anew when the whole contradicts the digest, and compares again', () => {
    const peer = watched();
    peer.send('pieces.completed');
    expect(peer.send('whole.differed')).toEqual([]);
    expect(peer.value()).toBe('joining');
    expect(peer.send('pieces.completed')).toEqual(['compareWhole']);
  });

  test('goes adrift while no scheduler answers, and stops it on every way out', () => {
    const ways = [['sync.answered'], ['pieces.completed'], ['leave']] as const;
    for (const way of ways) {
      const peer = watched();
      expect(peer.send('sync.silent')).toEqual(['startAdrift']);
      expect(peer.send('sync.silent')).toEqual([]);
      expect(peer.send(...way)[0]).toBe('stopAdrift');
    }
    const peer = watched();
    peer.send('sync.answered', 'sync.silent');
    expect(peer.fail()).toEqual(['stopAdrift', 'giveUp', 'release']);
  });

  test('fails with its error from every state but serving, and releases what it held', () => {
    for (const path of [
      [],
      ['sync.answered'],
      ['sync.silent'],
      ['sync.answered', 'pieces.completed'],
    ] as const) {
      const peer = watched();
      peer.send(...path);
      expect(peer.fail().slice(-2)).toEqual(['giveUp', 'release']);
      const { status, context, value } = peer.actor.getSnapshot();
      expect({ status, value, error: context.error }).toEqual({ status: 'done', value: 'failed', error });
    }
  });

  test('goes on serving when the task fails elsewhere', () => {
    const peer = watched();
    peer.send('pieces.completed', 'whole.agreed');
    expect(peer.fail()).toEqual([]);
    expect(peer.value()).toBe('serving');
    expect(peer.actor.getSnapshot().context.error).toBeUndefined();
  });

  test('expires only once it serves', () => {
    const peer = watched();
    expect(peer.send('idle.expired', 'sync.answered', 'idle.expired')).toEqual([]);
    peer.send('pieces.completed', 'idle.expired', 'whole.agreed');
    expect(peer.send('idle.expired')).toEqual(['release']);
    expect(peer.value()).toBe('left');
  });

  test('leaves from every state, and releases what it held', () => {
    for (const path of [
      [],
      ['sync.answered'],
      ['pieces.completed'],
      ['pieces.completed', 'whole.agreed'],
    ] as const) {
      const peer = watched();
      peer.send(...path);
      expect(peer.send('leave')).toEqual(['release']);
      expect(peer.value()).toBe('left');
    }
  });
});
