import { assign, fromPromise, raise, type SnapshotFrom, setup } from 'xstate';
import { LIMITS } from '../../core/limits.ts';

export type HostEvent =
  | { readonly type: 'bus.connected' }
  | { readonly type: 'bus.disconnected' }
  /** A scheduler was born and asks what everybody holds. */
  | { readonly type: 'census.received' }
  | { readonly type: 'drain' }
  /** The host is to be announced, now; told by one part of the chart to another, as those below. */
  | { readonly type: 'announce.due' }
  | { readonly type: 'announce.accepted' }
  | { readonly type: 'holdings.due' };

/** What a scheduler's answer to an announcement sets, ms. */
export interface HostRhythm {
  /** Until the next announcement. */
  readonly announceMs: number;
  /** Between two words that this host lives. */
  readonly aliveMs: number;
}

/** What the chart has a host do. */
export interface HostEffects {
  /** Asks a scheduler for a membership token, its keys and the address book, and takes them. @throws ERR_BUS_* */
  announce(): Promise<HostRhythm>;
  tellUnanswered(error: unknown): void;
  /** Tells that a scheduler accepted this host, which was not a member. */
  tellJoined(): void;
  /** Says that this host lives, and how it is. */
  beat(): void;
  /** A moment at random, so that a swarm does not answer at once, ms. */
  jitterMs(): number;
  /** Until the next announcement where the last was not answered, ms: longer each time. */
  retryMs(): number;
  /** Tells the schedulers every task this host holds. */
  sendHoldings(): void;
  noteIsolation(): void;
  noteReturn(): void;
  /** Ends what the swarm can reach, and says so. */
  drain(): void;
}

interface HostContext extends HostRhythm {
  readonly effects: HostEffects;
}

/** A member announces itself to a new scheduler within so many times what it takes to tell what it holds. */
const ANNOUNCED_LATER = 6;

/** A host's membership of the swarm. */
export const hostMachine = setup({
  types: { input: {} as HostEffects, context: {} as HostContext, events: {} as HostEvent },
  actors: {
    announce: fromPromise<HostRhythm, HostEffects>(({ input }) => input.announce()),
  },
  actions: {
    announce: raise({ type: 'announce.due' }),
    announceInAMoment: raise(
      { type: 'announce.due' },
      { delay: ({ context }) => context.effects.jitterMs() },
    ),
    /** What it holds goes first: its token is good for as long as before. */
    announceLater: raise(
      { type: 'announce.due' },
      { delay: ({ context }) => ANNOUNCED_LATER * context.effects.jitterMs() },
    ),
    tellHoldings: raise({ type: 'holdings.due' }),
    accepted: raise({ type: 'announce.accepted' }),
    keepRhythm: assign((_, { output }: { readonly output: HostRhythm }) => output),
    tellUnanswered: ({ context }, { error }: { readonly error: unknown }) =>
      context.effects.tellUnanswered(error),
    tellJoined: ({ context }) => context.effects.tellJoined(),
    beat: ({ context }) => context.effects.beat(),
    sendHoldings: ({ context }) => context.effects.sendHoldings(),
    noteIsolation: ({ context }) => context.effects.noteIsolation(),
    noteReturn: ({ context }) => context.effects.noteReturn(),
    drain: ({ context }) => context.effects.drain(),
  },
  delays: {
    retryMs: ({ context }) => context.effects.retryMs(),
    announceMs: ({ context }) => context.announceMs,
    aliveMs: ({ context }) => context.aliveMs,
    jitterMs: ({ context }) => context.effects.jitterMs(),
  },
}).createMachine({
  id: 'host',
  context: ({ input }) => ({ effects: input, announceMs: 0, aliveMs: LIMITS.aliveMs }),
  initial: 'working',
  states: {
    working: {
      type: 'parallel',
      states: {
        membership: {
          initial: 'connecting',
          states: {
            connecting: {
              on: {
                'bus.connected': { actions: 'announce' },
                'census.received': { actions: 'announceInAMoment' },
                'announce.accepted': { target: 'announced', actions: ['tellJoined', 'tellHoldings'] },
              },
            },
            announced: {
              on: {
                'bus.disconnected': 'isolated',
                'census.received': { actions: ['announceLater', 'tellHoldings'] },
              },
            },
            isolated: {
              entry: 'noteIsolation',
              on: {
                'bus.connected': { actions: 'announce' },
                'census.received': { actions: 'announceInAMoment' },
                'announce.accepted': {
                  target: 'announced',
                  actions: ['tellJoined', 'noteReturn', 'tellHoldings'],
                },
              },
            },
          },
        },
        announcement: {
          initial: 'resting',
          states: {
            resting: {
              on: { 'announce.due': 'asking' },
            },
            asking: {
              invoke: {
                src: 'announce',
                input: ({ context }) => context.effects,
                onDone: {
                  target: 'accepted',
                  actions: [{ type: 'keepRhythm', params: ({ event }) => event }, 'accepted'],
                },
                onError: {
                  target: 'unanswered',
                  actions: { type: 'tellUnanswered', params: ({ event }) => event },
                },
              },
            },
            accepted: {
              after: { announceMs: 'asking' },
              on: { 'announce.due': 'asking' },
            },
            unanswered: {
              after: { retryMs: 'asking' },
              on: { 'announce.due': 'asking' },
            },
          },
        },
        holdings: {
          initial: 'told',
          states: {
            told: {
              on: { 'holdings.due': 'untold' },
            },
            untold: {
              after: { jitterMs: { target: 'told', actions: 'sendHoldings' } },
            },
          },
        },
        life: {
          initial: 'beating',
          states: {
            beating: {
              entry: 'beat',
              after: { aliveMs: { target: 'beating', reenter: true } },
            },
          },
        },
      },
    },
    stopped: { type: 'final', entry: 'drain' },
  },
  on: { drain: '.stopped' },
});

/** Where a host is, in the words that others read. */
export type HostState = 'connecting' | 'announced' | 'isolated' | 'stopped';

/** Where a host is, in one word. */
export function hostState({ value }: SnapshotFrom<typeof hostMachine>): HostState {
  return typeof value === 'object' ? value.working.membership : value;
}
