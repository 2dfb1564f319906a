import { assign, setup } from 'xstate';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { Probed } from '../../core/probed.ts';

/** What the origin said last, and when. */
export interface Answer {
  readonly taskId: TaskId;
  readonly probed: Probed;
  readonly atMs: number;
  readonly wallMs: number;
  /** The flight that brought it; 0: one given up, or none, which answers nobody who waits. */
  readonly flight: number;
}

/** One host asking the origin; it answers whoever asked before it started. */
interface Flight {
  readonly number: number;
  readonly hostId: HostId;
  readonly ask: number;
  /** When another is asked instead. */
  readonly deadlineMs: number;
}

/** Who says it, and about which of its requests. */
interface Sender {
  readonly hostId: HostId;
  readonly ask: number;
}

export type ResourceEvent =
  /** A host goes to ask the origin. */
  | ({ readonly type: 'flight.left'; readonly nowMs: number } & Sender)
  /** A host came back with the origin's answer. */
  | ({ readonly type: 'origin.answered'; readonly answer: Omit<Answer, 'flight'> } & Sender)
  /** The log tells what the origin said once. */
  | { readonly type: 'answer.recalled'; readonly answer: Omit<Answer, 'flight'> }
  /** No word came of it in time. */
  | { readonly type: 'flight.overdue' }
  /** A host came back without. */
  | ({ readonly type: 'origin.failed' } & Sender)
  /** The content was read in one stream that nobody can go on with. */
  | { readonly type: 'stream.broke'; readonly taskId: TaskId }
  | { readonly type: 'host.lost'; readonly hostId: HostId };

interface ResourceContext {
  /** How many flights have left. */
  readonly flights: number;
  /** While `asking`. */
  readonly flight: Flight | undefined;
  /** While `known`. */
  readonly answer: Answer | undefined;
  /** While `broken`: the task that must not be pointed to again. */
  readonly brokenOff: TaskId | undefined;
}

/** How long an asked host may take before another is asked instead. */
const FLIGHT_MS = 15_000;

/** What one URL points to, at the scheduler that owns its partition: what the origin said, and who asks it now. */
export const resourceMachine = setup({
  types: { context: {} as ResourceContext, events: {} as ResourceEvent },
  actions: {
    land: assign({ flight: undefined }),
    /** A flight given up left before all who wait now: it answers none of them. */
    keep: assign(({ context: { flight }, event }) => {
      if (event.type !== 'origin.answered') return {};
      const isMine = event.hostId === flight?.hostId && event.ask === flight.ask;
      return { answer: { ...event.answer, flight: isMine ? flight.number : 0 } };
    }),
    recall: assign(({ event }) =>
      event.type === 'answer.recalled' ? { answer: { ...event.answer, flight: 0 } } : {},
    ),
  },
  guards: {
    isMine: ({ context: { flight }, event }) =>
      flight !== undefined && 'ask' in event && event.hostId === flight.hostId && event.ask === flight.ask,
    isFlying: ({ context: { flight }, event }) => 'hostId' in event && event.hostId === flight?.hostId,
    isBroken: ({ context, event }) =>
      event.type === 'origin.answered' && event.answer.taskId === context.brokenOff,
    /** Where a strong validator tells that the rest is of the same content, nothing is lost by a break. */
    isLostByBreak: ({ context: { answer }, event }) =>
      event.type === 'stream.broke' && event.taskId === answer?.taskId && answer.probed.etag === undefined,
  },
}).createMachine({
  id: 'resource',
  context: { flights: 0, flight: undefined, answer: undefined, brokenOff: undefined },
  type: 'parallel',
  states: {
    word: {
      initial: 'unknown',
      states: {
        unknown: {
          on: {
            'origin.answered': { target: 'known', actions: 'keep' },
            'answer.recalled': { target: 'known', actions: 'recall' },
          },
        },
        known: {
          on: {
            'origin.answered': { guard: 'isMine', actions: 'keep' },
            'stream.broke': {
              guard: 'isLostByBreak',
              target: 'broken',
              actions: assign({ answer: undefined, brokenOff: ({ event }) => event.taskId }),
            },
          },
        },
        broken: {
          on: {
            'origin.answered': [{ guard: 'isBroken' }, { target: 'known', actions: 'keep' }],
          },
        },
      },
    },
    flight: {
      initial: 'landed',
      states: {
        landed: {
          on: {
            'flight.left': {
              target: 'asking',
              actions: assign({
                flights: ({ context }) => context.flights + 1,
                flight: ({ context, event: { hostId, ask, nowMs } }) => ({
                  number: context.flights + 1,
                  hostId,
                  ask,
                  deadlineMs: nowMs + FLIGHT_MS,
                }),
              }),
            },
          },
        },
        asking: {
          // Not on exit: the word, which comes first, looks whose flight it was.
          on: {
            'flight.overdue': { target: 'landed', actions: 'land' },
            'origin.answered': { guard: 'isMine', target: 'landed', actions: 'land' },
            'origin.failed': { guard: 'isMine', target: 'landed', actions: 'land' },
            'host.lost': { guard: 'isFlying', target: 'landed', actions: 'land' },
          },
        },
      },
    },
  },
});
