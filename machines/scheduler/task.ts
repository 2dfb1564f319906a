import { assign, setup } from 'xstate';
import type { WireError } from '../../core/errors.ts';

export type TaskEvent =
  /** A host was asked to read the origin's first bytes, to learn the length. */
  | { readonly type: 'probe.assigned' }
  /** Length and piece length are known. */
  | { readonly type: 'geometry.known' }
  /** A host works on the task. */
  | { readonly type: 'work.began' }
  /** No host works on the task any more. */
  | { readonly type: 'work.ended' }
  /** The content contradicts the digest: its source is banned and the next one begins from nothing. */
  | { readonly type: 'claim.dropped' }
  /** No source is left that agrees with the digest, or the origin replaced the content. */
  | { readonly type: 'content.refuted'; readonly error: WireError }
  | { readonly type: 'idle.expired' }
  | { readonly type: 'remove' };

interface TaskContext {
  /** Whether `geometry.known` came since the task began, or began anew. */
  readonly known: boolean;
  readonly error: WireError | undefined;
}

/** One task in the scheduler that owns its partition. */
export const taskMachine = setup({
  types: { context: {} as TaskContext, events: {} as TaskEvent },
  actions: {
    /** Writes the task to the log and says so. */
    recordCreated: () => {},
    /** Writes the hashes known so far to the log. */
    recordManifest: () => {},
    recordFailed: () => {},
    recordRetired: () => {},
    /** Sets the time at which an idle or failed task ends. */
    startIdleTimer: () => {},
    stopIdleTimer: () => {},
    learn: assign({ known: true }),
    forget: assign({ known: false }),
  },
  guards: {
    isKnown: ({ context }) => context.known,
  },
}).createMachine({
  id: 'task',
  context: { known: false, error: undefined },
  initial: 'pending',
  states: {
    pending: {
      on: {
        'probe.assigned': 'resolving',
        'geometry.known': { target: 'distributing', actions: 'learn' },
        'work.ended': 'idle',
      },
    },
    resolving: {
      on: {
        'geometry.known': { target: 'distributing', actions: 'learn' },
        'work.ended': 'idle',
      },
    },
    distributing: {
      entry: 'recordCreated',
      on: { 'work.ended': 'idle', 'claim.dropped': { target: 'pending', actions: 'forget' } },
    },
    idle: {
      entry: ['recordManifest', 'startIdleTimer'],
      exit: 'stopIdleTimer',
      on: {
        'work.began': [{ guard: 'isKnown', target: 'distributing' }, { target: 'pending' }],
        'geometry.known': { target: 'distributing', actions: 'learn' },
        'claim.dropped': { target: 'pending', actions: 'forget' },
      },
    },
    failed: {
      entry: ['recordFailed', 'startIdleTimer'],
      exit: 'stopIdleTimer',
      on: { 'content.refuted': {} },
    },
    retired: { type: 'final', entry: 'recordRetired' },
  },
  on: {
    'content.refuted': { target: '.failed', actions: assign({ error: ({ event }) => event.error }) },
    'idle.expired': '.retired',
    remove: '.retired',
  },
});
