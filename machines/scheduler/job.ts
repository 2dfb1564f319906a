import { fromPromise, setup } from 'xstate';

export type JobEvent =
  /** Somebody wants it ended. */
  | { readonly type: 'cancel.asked' }
  /** Another scheduler works on it. */
  | { readonly type: 'job.taken' };

/** What is to be done with a job that was taken out of the queue: `over`: nothing any more. */
export type JobTurn = 'work' | 'halt' | 'over';

/**
 * What the chart has a scheduler do for one job. Each is done anew where a scheduler died in it, so that doing it twice
 * is the same as once. @throws where it fails; `isLeft` tells whether the job is then another's, or the queue's
 */
export interface JobEffects {
  begin(): Promise<JobTurn>;
  /** Finds out what the words stand for. */
  resolve(signal: AbortSignal): Promise<void>;
  /** Settles which hosts are meant. */
  choose(): Promise<void>;
  /** Has the hosts do it, and follows them to the end. */
  work(signal: AbortSignal): Promise<void>;
  /** Writes down how it ended. */
  settle(): Promise<void>;
  /** Writes down why it cannot be. */
  fail(error: unknown): Promise<void>;
  /** Has the hosts stop, and writes down that it is over. */
  halt(): Promise<void>;
  isLeft(error: unknown): boolean;
}

interface JobContext {
  readonly effects: JobEffects;
}

/** One job at the scheduler that works on it. */
export const jobMachine = setup({
  types: { context: {} as JobContext, events: {} as JobEvent, input: {} as JobEffects },
  actors: {
    begin: fromPromise<JobTurn, JobEffects>(({ input }) => input.begin()),
    resolve: fromPromise<void, JobEffects>(({ input, signal }) => input.resolve(signal)),
    choose: fromPromise<void, JobEffects>(({ input }) => input.choose()),
    work: fromPromise<void, JobEffects>(({ input, signal }) => input.work(signal)),
    settle: fromPromise<void, JobEffects>(({ input }) => input.settle()),
    halt: fromPromise<void, JobEffects>(({ input }) => input.halt()),
    fail: fromPromise<void, { effects: JobEffects; error: unknown }>(({ input }) =>
      input.effects.fail(input.error),
    ),
  },
  guards: {
    isOver: (_, turn: JobTurn) => turn === 'over',
    isToHalt: (_, turn: JobTurn) => turn === 'halt',
    isLeft: ({ context }, { error }: { readonly error: unknown }) => context.effects.isLeft(error),
  },
}).createMachine({
  id: 'job',
  context: ({ input }) => ({ effects: input }),
  initial: 'beginning',
  on: { 'job.taken': '.left' },
  states: {
    beginning: {
      invoke: {
        src: 'begin',
        input: ({ context }) => context.effects,
        onDone: [
          { guard: { type: 'isOver', params: ({ event }) => event.output }, target: 'ended' },
          { guard: { type: 'isToHalt', params: ({ event }) => event.output }, target: 'halting' },
          { target: 'resolving' },
        ],
        onError: 'left',
      },
    },
    resolving: {
      on: { 'cancel.asked': 'halting' },
      invoke: {
        src: 'resolve',
        input: ({ context }) => context.effects,
        onDone: 'choosing',
        onError: [
          { guard: { type: 'isLeft', params: ({ event }) => event }, target: 'left' },
          { target: 'failing' },
        ],
      },
    },
    choosing: {
      on: { 'cancel.asked': 'halting' },
      invoke: {
        src: 'choose',
        input: ({ context }) => context.effects,
        onDone: 'working',
        onError: [
          { guard: { type: 'isLeft', params: ({ event }) => event }, target: 'left' },
          { target: 'failing' },
        ],
      },
    },
    working: {
      on: { 'cancel.asked': 'halting' },
      invoke: {
        src: 'work',
        input: ({ context }) => context.effects,
        onDone: 'settling',
        onError: [
          { guard: { type: 'isLeft', params: ({ event }) => event }, target: 'left' },
          { target: 'failing' },
        ],
      },
    },
    settling: {
      invoke: { src: 'settle', input: ({ context }) => context.effects, onDone: 'ended', onError: 'left' },
    },
    failing: {
      invoke: {
        src: 'fail',
        input: ({ context, event }) => ({
          effects: context.effects,
          error: 'error' in event ? event.error : undefined,
        }),
        onDone: 'ended',
        onError: 'left',
      },
    },
    halting: {
      invoke: { src: 'halt', input: ({ context }) => context.effects, onDone: 'ended', onError: 'left' },
    },
    ended: { type: 'final' },
    left: { type: 'final' },
  },
});
