import { expect, test } from 'vitest';
import { getNextSnapshot } from 'xstate';
import { ShoalError } from '../../../core/errors.ts';
import type { LeaseSet } from '../../../core/sync-messages.ts';
import { type PeerEffects, type PeerEvent, peerMachine, peerState } from '../../../machines/host/peer.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const error = new ShoalError('ERR_STORE_FULL', 'no space');
const never = new Promise<never>(() => {});

/** Effects of which none ever ends. */
const effects: PeerEffects = {
  open: () => never,
  isComplete: () => false,
  isAlone: () => false,
  isHeard: () => true,
  isAttended: () => true,
  mayProbe: () => true,
  sync() {},
  tellHashes() {},
  take() {},
  goAdrift: () => () => {},
  tellRecovered() {},
  watchProgress: () => () => {},
  goStarved: () => () => {},
  tellFed() {},
  probe: () => never,
  rehash() {},
  compare: () => never,
  tellContradiction() {},
  sample: () => never,
  tellUnread() {},
  refutal: () => error,
  seal: () => never,
  complete() {},
  tellFailed() {},
  release: () => never,
};

const INVOKING = [
  'opening',
  'fetching.origin.probing',
  'verifying.comparing',
  'verifying.sealing',
  'verifying.contradicted.sampling',
];

/** What XState tells of the end of what was invoked, and of time. */
const ENDS = [
  ...INVOKING.map((state) => ({ type: `xstate.done.actor.0.peer.${state}`, output: true })),
  ...INVOKING.map((state) => ({ type: `xstate.error.actor.0.peer.${state}`, error })),
  { type: 'xstate.done.actor.0.peer.verifying.comparing', output: false },
  { type: 'xstate.done.actor.0.peer.failing' },
  { type: 'xstate.done.actor.0.peer.leaving' },
  { type: 'xstate.after.idleMs.peer.serving.idle' },
];

const told: readonly PeerEvent[] = [
  { type: 'sync.answered' },
  { type: 'sync.silent' },
  { type: 'progress.missed' },
  { type: 'leases.carried' },
  { type: 'set.pushed', set: {} as LeaseSet },
  { type: 'origin.gained' },
  { type: 'probe.asked' },
  { type: 'pieces.completed' },
  { type: 'content.withdrawn' },
  { type: 'samples.asked', samples: [1] },
  { type: 'task.failed', error },
  { type: 'client.came' },
  { type: 'clients.gone' },
  { type: 'leave' },
];
const ground = { machine: peerMachine, events: [...told, ...(ENDS as never[])], input: effects };

test('every state is reached, and two of them end it', () => {
  expect(walkedTypes(ground)).toEqual(eventTypes(peerMachine));
  const swarm = ['joining', 'transferring', 'starved', 'adrift'];
  const fetching = swarm.flatMap((state) =>
    ['resting', 'probing'].map((origin) => `fetching.swarm.${state} & origin.${origin}`),
  );
  const verifying = ['comparing', 'sealing', 'contradicted.waiting', 'contradicted.sampling'];
  const others = ['opening', 'serving.busy', 'serving.idle', 'failing', 'leaving', 'failed', 'left'];
  expect([...reachable(ground).keys()].sort()).toEqual(
    [...fetching, ...verifying.map((state) => `verifying.${state}`), ...others].sort(),
  );
  expect(finals(ground)).toEqual(['failed', 'left']);
  expect(stranded(ground)).toEqual([]);
});

test('every event does something in every state, but for these', () => {
  const table = Object.entries(ignored(ground)).map(([state, types]): [string, string[]] => [
    state,
    types.filter((type) => !type.startsWith('xstate.')),
  ]);
  const verifying = [
    'client.came',
    'leases.carried',
    'origin.gained',
    'pieces.completed',
    'probe.asked',
    'progress.missed',
    'sync.answered',
  ];
  expect(Object.fromEntries(table)).toEqual({
    opening: [
      'client.came',
      'leases.carried',
      'origin.gained',
      'pieces.completed',
      'probe.asked',
      'progress.missed',
      'samples.asked',
      'set.pushed',
      'sync.answered',
      'sync.silent',
    ],
    'fetching.swarm.joining & origin.resting': ['client.came', 'leases.carried', 'samples.asked'],
    'fetching.swarm.joining & origin.probing': [
      'client.came',
      'leases.carried',
      'probe.asked',
      'samples.asked',
    ],
    'fetching.swarm.transferring & origin.resting': [
      'client.came',
      'leases.carried',
      'samples.asked',
      'sync.answered',
    ],
    'fetching.swarm.transferring & origin.probing': [
      'client.came',
      'leases.carried',
      'probe.asked',
      'samples.asked',
      'sync.answered',
    ],
    'fetching.swarm.starved & origin.resting': [
      'client.came',
      'progress.missed',
      'samples.asked',
      'sync.answered',
    ],
    'fetching.swarm.starved & origin.probing': [
      'client.came',
      'probe.asked',
      'progress.missed',
      'samples.asked',
      'sync.answered',
    ],
    'fetching.swarm.adrift & origin.resting': [
      'client.came',
      'leases.carried',
      'progress.missed',
      'samples.asked',
      'sync.silent',
    ],
    'fetching.swarm.adrift & origin.probing': [
      'client.came',
      'leases.carried',
      'probe.asked',
      'progress.missed',
      'samples.asked',
      'sync.silent',
    ],
    // Nothing is fetched: whether a scheduler answers matters only where it is to settle a contradiction.
    'verifying.comparing': [...verifying, 'samples.asked', 'sync.silent'].sort(),
    'verifying.sealing': [...verifying, 'samples.asked', 'sync.silent'].sort(),
    'verifying.contradicted.waiting': verifying,
    'verifying.contradicted.sampling': [...verifying, 'samples.asked'].sort(),
    // All is there and right; a scheduler that gave the task up cannot take it back.
    'serving.busy': [...verifying, 'samples.asked', 'sync.silent', 'task.failed'].sort(),
    'serving.idle': [...verifying.slice(1), 'samples.asked', 'sync.silent', 'task.failed'].sort(),
    // It is on its way out.
    failing: told.map(({ type }) => type).sort(),
    leaving: told.map(({ type }) => type).sort(),
  });
});

test('never serves from a word about the whole that nobody asked for', () => {
  for (const [state, snapshot] of reachable(ground)) {
    if (/^(verifying|serving)/.test(state)) continue;
    for (const event of told) {
      const next = getNextSnapshot(peerMachine, snapshot as never, event);
      expect([state, event.type, peerState(next)]).not.toContain('serving');
    }
  }
});

test('where a peer is has one word, whichever of its states it is', () => {
  const words = [...reachable(ground)].map(([state, snapshot]) => [state, peerState(snapshot as never)]);
  expect(Object.fromEntries(words)).toMatchObject({
    opening: 'joining',
    'fetching.swarm.joining & origin.probing': 'joining',
    'fetching.swarm.transferring & origin.resting': 'transferring',
    'fetching.swarm.starved & origin.probing': 'starved',
    'fetching.swarm.adrift & origin.probing': 'adrift',
    'verifying.comparing': 'verifying',
    'verifying.contradicted.sampling': 'verifying',
    'serving.busy': 'serving',
    'serving.idle': 'serving',
    failing: 'failed',
    failed: 'failed',
    leaving: 'left',
    left: 'left',
  });
});
