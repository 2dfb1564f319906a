import { fromPromise, setup } from 'xstate';
import { LIMITS } from '../../core/limits.ts';

export type SchedulerEvent =
  /** The heartbeat says something else now. */
  | { readonly type: 'beat.due' }
  /** This scheduler is to end. */
  | { readonly type: 'leave' }
  /** It serves nothing any more that another could take over. */
  | { readonly type: 'emptied' };

/** What the chart has a scheduler do as one of a group. */
export interface SchedulerEffects {
  /** Puts its heartbeat into the store, and reads who owns what. @throws ERR_BUS_* */
  enter(): Promise<void>;
  /** Puts its heartbeat again, where nobody has removed it. @throws ERR_BUS_CONFLICT, ERR_BUS_* */
  renew(): Promise<void>;
  /** Whether the heartbeat was not acknowledged for a term, or is gone. */
  isTermOver(): boolean;
  /** Whether the store has been out of reach for so long, with NATS there, that presence must do. */
  isStoreless(): boolean;
  noteServing(): void;
  noteLost(): void;
  noteUnguided(): void;
  /** Says goodbye: others need not wait for a term. */
  depart(): void;
}

/** One scheduler as a member of its group. */
export const schedulerMachine = setup({
  types: {
    context: {} as { readonly effects: SchedulerEffects },
    events: {} as SchedulerEvent,
    input: {} as SchedulerEffects,
  },
  actors: {
    enter: fromPromise<void, SchedulerEffects>(({ input }) => input.enter()),
    renew: fromPromise<void, SchedulerEffects>(({ input }) => input.renew()),
  },
  delays: {
    beatMs: LIMITS.beatMs,
    leaveMs: LIMITS.leaveMs,
    /** After the store did not answer. */
    retryMs: 150,
    /** Between two looks whether there is a store again. */
    storelessMs: LIMITS.storelessMs,
  },
  guards: {
    isTermOver: ({ context }) => context.effects.isTermOver(),
    isStoreless: ({ context }) => context.effects.isStoreless(),
  },
  actions: {
    noteServing: ({ context }) => context.effects.noteServing(),
    noteLost: ({ context }) => context.effects.noteLost(),
    noteUnguided: ({ context }) => context.effects.noteUnguided(),
    depart: ({ context }) => context.effects.depart(),
  },
}).createMachine({
  id: 'scheduler',
  context: ({ input }) => ({ effects: input }),
  initial: 'present',
  states: {
    present: {
      type: 'parallel',
      states: {
        heart: {
          initial: 'claiming',
          states: {
            claiming: {
              initial: 'asking',
              states: {
                asking: {
                  invoke: {
                    src: 'enter',
                    input: ({ context }) => context.effects,
                    onDone: '#scheduler.present.heart.serving',
                    onError: 'waiting',
                  },
                },
                waiting: {
                  after: {
                    retryMs: [
                      { guard: 'isStoreless', target: '#scheduler.present.heart.unguided' },
                      { target: 'asking' },
                    ],
                  },
                },
              },
            },
            serving: {
              entry: 'noteServing',
              initial: 'resting',
              states: {
                resting: {
                  after: { beatMs: 'renewing' },
                  on: { 'beat.due': 'renewing' },
                },
                renewing: {
                  invoke: {
                    src: 'renew',
                    input: ({ context }) => context.effects,
                    onDone: 'resting',
                    onError: [
                      {
                        guard: 'isTermOver',
                        target: '#scheduler.present.heart.claiming',
                        actions: 'noteLost',
                      },
                      { target: 'unrenewed' },
                    ],
                  },
                },
                unrenewed: { after: { retryMs: 'renewing' } },
              },
            },
            unguided: {
              entry: 'noteUnguided',
              initial: 'waiting',
              states: {
                waiting: { after: { storelessMs: 'asking' }, on: { 'beat.due': 'asking' } },
                asking: {
                  invoke: {
                    src: 'enter',
                    input: ({ context }) => context.effects,
                    onDone: '#scheduler.present.heart.serving',
                    onError: 'waiting',
                  },
                },
              },
            },
          },
        },
        stay: {
          initial: 'staying',
          states: {
            staying: { on: { leave: 'releasing' } },
            releasing: {
              after: { leaveMs: '#scheduler.left' },
              on: { emptied: '#scheduler.left' },
            },
          },
        },
      },
    },
    left: { type: 'final', entry: 'depart' },
  },
});
