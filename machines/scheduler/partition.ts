import { assign, fromPromise, setup } from 'xstate';
import { LIMITS } from '../../core/limits.ts';

export type PartitionEvent =
  /** It falls to this scheduler, and whoever owned it is gone, or gives it away. */
  | { readonly type: 'claim.due' }
  /** It falls to another scheduler, which lives. */
  | { readonly type: 'heir.appeared' }
  /** It falls to this scheduler after all. */
  | { readonly type: 'heir.vanished' }
  /** Another owns it, or nobody can tell that this scheduler does. */
  | { readonly type: 'ownership.ended' }
  /** Somebody has seen a larger epoch, though no other scheduler owns it. */
  | { readonly type: 'epoch.refused' };

/** What the chart has a scheduler do with one partition. */
export interface PartitionEffects {
  /** Takes it by compare-and-set; resolves with an epoch larger than all before. @throws ERR_BUS_* */
  claim(): Promise<number>;
  tellUnclaimed(error: unknown): void;
  /** Serves it from now on, under that epoch, and asks all hosts what they hold. */
  begin(epoch: number): void;
  /** It is known what the hosts hold: the rest may be read from the origin. */
  recovered(): void;
  /** Serves it no more. */
  end(): void;
}

interface PartitionContext {
  readonly effects: PartitionEffects;
  /** While it is owned. */
  readonly epoch: number | undefined;
}

/** One partition, as one scheduler of the group sees it. */
export const partitionMachine = setup({
  types: { context: {} as PartitionContext, events: {} as PartitionEvent, input: {} as PartitionEffects },
  delays: { censusMs: LIMITS.censusMs },
  actors: {
    claim: fromPromise<number, PartitionEffects>(({ input }) => input.claim()),
  },
  actions: {
    tellUnclaimed: ({ context }, { error }: { readonly error: unknown }) =>
      context.effects.tellUnclaimed(error),
    keepEpoch: assign((_, epoch: number) => ({ epoch })),
    begin: ({ context }) => {
      if (context.epoch !== undefined) context.effects.begin(context.epoch);
    },
    recovered: ({ context }) => context.effects.recovered(),
    end: ({ context }) => context.effects.end(),
    forgetEpoch: assign({ epoch: undefined }),
  },
}).createMachine({
  id: 'partition',
  context: ({ input }) => ({ effects: input, epoch: undefined }),
  initial: 'lost',
  states: {
    lost: {
      on: { 'claim.due': 'claiming' },
    },
    claiming: {
      invoke: {
        src: 'claim',
        input: ({ context }) => context.effects,
        onDone: { target: 'owned', actions: { type: 'keepEpoch', params: ({ event }) => event.output } },
        onError: { target: 'lost', actions: { type: 'tellUnclaimed', params: ({ event }) => event } },
      },
      on: { 'ownership.ended': 'lost' },
    },
    owned: {
      initial: 'recovering',
      entry: 'begin',
      exit: ['end', 'forgetEpoch'],
      on: { 'ownership.ended': 'lost' },
      states: {
        // Deaf to refusals and heirs: however many hosts refuse, it is claimed once in this time at most.
        recovering: {
          after: { censusMs: { target: 'serving', actions: 'recovered' } },
        },
        serving: {
          on: { 'heir.appeared': 'releasing', 'epoch.refused': '#partition.claiming' },
        },
        releasing: {
          on: { 'heir.vanished': 'serving', 'epoch.refused': '#partition.claiming' },
        },
      },
    },
  },
});
