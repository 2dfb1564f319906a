import { assign, fromCallback, fromPromise, raise, type SnapshotFrom, setup } from 'xstate';
import { type ShoalError, toShoalError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { LeaseSet } from '../../core/sync-messages.ts';

export type PeerEvent =
  /** The scheduler answered a sync. */
  | { readonly type: 'sync.answered' }
  /** No scheduler has answered for too long. */
  | { readonly type: 'sync.silent' }
  /** Nothing has come for too long, whatever the scheduler answers. */
  | { readonly type: 'progress.missed' }
  /** What the scheduler leases comes again. */
  | { readonly type: 'leases.carried' }
  /** The scheduler sent a set that was not asked for. */
  | { readonly type: 'set.pushed'; readonly set: LeaseSet }
  /** Somebody came who may read the origin, which this host could not. */
  | { readonly type: 'origin.gained' }
  /** Nobody knows the length: the origin's first bytes are to be read. */
  | { readonly type: 'probe.asked' }
  /** Every piece is on disk. */
  | { readonly type: 'pieces.completed' }
  /** Pieces proved wrong, or all that is here, and were dropped. */
  | { readonly type: 'content.withdrawn' }
  /** The scheduler wants pieces read again, to settle a contradiction. */
  | { readonly type: 'samples.asked'; readonly samples: readonly number[] }
  /** There is no way to the content. */
  | { readonly type: 'task.failed'; readonly error: ShoalError }
  /** A client waits for the content, or reads it. */
  | { readonly type: 'client.came' }
  /** The last of them went. */
  | { readonly type: 'clients.gone' }
  /** The content is not wanted here any more, or the host is draining. */
  | { readonly type: 'leave' };

/** What the chart has a peer do. The signal of what is awaited aborts when the chart has gone on without it. */
export interface PeerEffects {
  /** Takes up what is on disk, and the origin's answer where one is open. @throws ERR_STORE_FULL, ERR_STORE_IO */
  open(signal: AbortSignal): Promise<void>;
  /** Whether every piece is on disk. */
  isComplete(): boolean;
  /** Whether there is no swarm. */
  isAlone(): boolean;
  /** Whether a scheduler has answered of late. */
  isHeard(): boolean;
  /** Whether a client waits or reads. */
  isAttended(): boolean;
  /** Whether the length is unknown, and the origin may be read. */
  mayProbe(): boolean;
  /** Syncs soon. */
  sync(): void;
  /** Tells the hashes of content that was proven in an earlier life, which a scheduler may have lost. */
  tellHashes(): void;
  /** Takes a set that was pushed. */
  take(set: LeaseSet): void;
  /** Asks known hosts, and the origin, without a scheduler; returns how to end that. */
  goAdrift(): () => void;
  tellRecovered(): void;
  /** Tells `progress.missed` where pieces are missing and none comes; returns how to end that. */
  watchProgress(): () => void;
  /** Asks known hosts, and the origin, beside what the scheduler leases; returns how to end that. */
  goStarved(): () => void;
  tellFed(): void;
  /** Reads the origin's first bytes, and uses what comes. */
  probe(signal: AbortSignal): Promise<void>;
  /** What was hashed of the whole counts no more. */
  rehash(): void;
  /** Whether the whole, hashed in order, is what the digest says. @throws ERR_STORE_IO, ERR_STORE_CORRUPT */
  compare(): Promise<boolean>;
  tellContradiction(): void;
  /** Reads pieces again from the source, and has the next sync tell which of them agree. */
  sample(samples: readonly number[], signal: AbortSignal): Promise<void>;
  /** The source could not be read again. */
  tellUnread(error: unknown): void;
  /** Why a contradiction that nobody can settle ends the task. */
  refutal(): ShoalError;
  /** Marks the content as complete on disk, so that a restart says so too. @throws ERR_STORE_IO */
  seal(): Promise<void>;
  /** Tells everyone that the content is complete. */
  complete(): void;
  tellFailed(error: ShoalError): void;
  /** Stops transfers and syncs, keeps nothing that proved wrong, and tells the scheduler. Never rejects. */
  release(error: ShoalError | undefined): Promise<void>;
}

interface PeerContext {
  readonly effects: PeerEffects;
  readonly error: ShoalError | undefined;
}

/** There is no way to the content: everyone who waits is told why. */
const FAILING = { target: '#peer.failing', actions: ['keepError', 'tellFailed'] } as const;

/** One host's part in one task, from what is on disk to a while after the last client. */
export const peerMachine = setup({
  types: {
    input: {} as PeerEffects,
    context: {} as PeerContext,
    events: {} as PeerEvent,
  },
  actors: {
    open: fromPromise<void, PeerEffects>(({ input, signal }) => input.open(signal)),
    probe: fromPromise<void, PeerEffects>(({ input, signal }) => input.probe(signal)),
    adrift: fromCallback<PeerEvent, PeerEffects>(({ input }) => input.goAdrift()),
    starved: fromCallback<PeerEvent, PeerEffects>(({ input }) => input.goStarved()),
    watch: fromCallback<PeerEvent, PeerEffects>(({ input }) => input.watchProgress()),
    compare: fromPromise<boolean, PeerEffects>(({ input }) => input.compare()),
    seal: fromPromise<void, PeerEffects>(({ input }) => input.seal()),
    sample: fromPromise<void, PeerContext & { readonly samples: readonly number[] }>(
      ({ input: { effects, samples }, signal }) => effects.sample(samples, signal),
    ),
    release: fromPromise<void, PeerContext>(({ input: { effects, error } }) => effects.release(error)),
  },
  actions: {
    /** What an event says, or what something invoked threw. */
    keepError: assign(({ event }) => ({ error: 'error' in event ? toShoalError(event.error) : undefined })),
    sync: ({ context }) => context.effects.sync(),
    tellHashes: ({ context }) => context.effects.tellHashes(),
    take: ({ context, event }) => {
      if (event.type === 'set.pushed') context.effects.take(event.set);
    },
    tellRecovered: ({ context }) => context.effects.tellRecovered(),
    tellFed: ({ context }) => context.effects.tellFed(),
    rehash: ({ context }) => context.effects.rehash(),
    tellContradiction: ({ context }) => context.effects.tellContradiction(),
    tellUnread: ({ context, event }) =>
      context.effects.tellUnread('error' in event ? event.error : undefined),
    /** Nobody can settle the contradiction. */
    refute: raise(({ context }) => ({ type: 'task.failed' as const, error: context.effects.refutal() })),
    complete: ({ context }) => context.effects.complete(),
    tellFailed: ({ context }) => {
      if (context.error) context.effects.tellFailed(context.error);
    },
  },
  guards: {
    isComplete: ({ context }) => context.effects.isComplete(),
    isAlone: ({ context }) => context.effects.isAlone(),
    isHeard: ({ context }) => context.effects.isHeard(),
    isAttended: ({ context }) => context.effects.isAttended(),
    mayProbe: ({ context }) => context.effects.mayProbe(),
    /** The origin may be read another time. */
    isPassing: (_, params: { readonly error: unknown }) =>
      toShoalError(params.error).code === 'ERR_SOURCE_UNAVAILABLE',
    agrees: (_, params: { readonly output: boolean }) => params.output,
  },
  delays: { idleMs: LIMITS.idleActorMs },
}).createMachine({
  id: 'peer',
  context: ({ input }) => ({ effects: input, error: undefined }),
  initial: 'opening',
  states: {
    opening: {
      invoke: {
        src: 'open',
        input: ({ context }) => context.effects,
        onDone: [{ guard: 'isComplete', target: 'verifying', actions: 'tellHashes' }, { target: 'fetching' }],
        onError: FAILING,
      },
      on: { 'set.pushed': {} },
    },
    fetching: {
      type: 'parallel',
      invoke: { src: 'watch', input: ({ context }) => context.effects },
      on: {
        'pieces.completed': 'verifying',
        'content.withdrawn': { actions: ['rehash', 'sync'] },
        'origin.gained': { actions: 'sync' },
      },
      states: {
        swarm: {
          initial: 'joining',
          states: {
            joining: {
              entry: 'sync',
              always: { guard: 'isAlone', target: 'adrift' },
              on: { 'sync.answered': 'transferring', 'sync.silent': 'adrift', 'progress.missed': 'starved' },
            },
            transferring: {
              on: { 'sync.silent': 'adrift', 'progress.missed': 'starved' },
            },
            starved: {
              invoke: { src: 'starved', input: ({ context }) => context.effects },
              on: {
                'leases.carried': { target: 'transferring', actions: 'tellFed' },
                'sync.silent': 'adrift',
              },
            },
            adrift: {
              invoke: { src: 'adrift', input: ({ context }) => context.effects },
              on: { 'sync.answered': { target: 'transferring', actions: 'tellRecovered' } },
            },
          },
        },
        origin: {
          initial: 'resting',
          states: {
            resting: {
              on: { 'probe.asked': { guard: 'mayProbe', target: 'probing' } },
            },
            probing: {
              invoke: {
                src: 'probe',
                input: ({ context }) => context.effects,
                onDone: { target: 'resting', actions: 'sync' },
                onError: FAILING,
              },
            },
          },
        },
      },
    },
    verifying: {
      initial: 'comparing',
      states: {
        comparing: {
          invoke: {
            src: 'compare',
            input: ({ context }) => context.effects,
            onDone: [
              {
                guard: { type: 'agrees', params: ({ event }) => event },
                target: 'sealing',
              },
              { guard: 'isHeard', target: 'contradicted' },
              { target: 'contradicted', actions: 'refute' },
            ],
            onError: FAILING,
          },
        },
        contradicted: {
          entry: ['tellContradiction', 'sync'],
          on: { 'sync.silent': { actions: 'refute' } },
          initial: 'waiting',
          states: {
            waiting: {
              on: { 'samples.asked': 'sampling' },
            },
            sampling: {
              invoke: {
                src: 'sample',
                input: ({ context, event }) => ({
                  ...context,
                  samples: event.type === 'samples.asked' ? event.samples : [],
                }),
                onDone: { target: 'waiting', actions: 'sync' },
                onError: [
                  {
                    guard: { type: 'isPassing', params: ({ event }) => event },
                    target: 'waiting',
                    actions: ['tellUnread', 'sync'],
                  },
                  { target: 'waiting', actions: ['tellUnread', 'refute'] },
                ],
              },
            },
          },
        },
        sealing: {
          invoke: {
            src: 'seal',
            input: ({ context }) => context.effects,
            onDone: [{ guard: 'isAttended', target: '#peer.serving.busy' }, { target: '#peer.serving.idle' }],
            onError: FAILING,
          },
        },
      },
    },
    serving: {
      entry: 'complete',
      on: { 'task.failed': {} },
      initial: 'idle',
      states: {
        busy: {
          on: { 'clients.gone': 'idle' },
        },
        idle: {
          on: { 'client.came': 'busy' },
          after: { idleMs: '#peer.leaving' },
        },
      },
    },
    failing: {
      invoke: { src: 'release', input: ({ context }) => context, onDone: 'failed' },
      on: { '*': {} },
    },
    leaving: {
      invoke: { src: 'release', input: ({ context }) => context, onDone: 'left' },
      on: { '*': {} },
    },
    failed: { type: 'final' },
    left: { type: 'final' },
  },
  on: {
    'set.pushed': { actions: 'take' },
    'content.withdrawn': { target: '.fetching', actions: 'rehash' },
    'task.failed': FAILING,
    'clients.gone': '.leaving',
    leave: '.leaving',
  },
});

/** Where a peer is, in the words that others read. */
export type PeerState =
  | 'joining'
  | 'transferring'
  | 'starved'
  | 'adrift'
  | 'verifying'
  | 'serving'
  | 'failed'
  | 'left';

type PeerSnapshot = SnapshotFrom<typeof peerMachine>;

/** Where a peer is, in one word. */
export function peerState({ value, status }: PeerSnapshot): PeerState {
  // The chart itself broke.
  if (status === 'error') return 'failed';
  if (typeof value === 'object') {
    if ('fetching' in value) return value.fetching.swarm;
    return 'verifying' in value ? 'verifying' : 'serving';
  }
  if (value === 'opening') return 'joining';
  if (value === 'failing') return 'failed';
  return value === 'leaving' ? 'left' : value;
}
