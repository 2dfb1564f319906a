import { assign, setup } from 'xstate';
import type { WireError } from '../../core/errors.ts';

export type PeerEvent =
  /** The scheduler answered a sync. */
  | { readonly type: 'sync.answered' }
  /** No scheduler has answered for too long. */
  | { readonly type: 'sync.silent' }
  /** Every piece is on disk. */
  | { readonly type: 'pieces.completed' }
  /** The whole agrees with the digest, or there is none to compare; the disk knows that it is complete. */
  | { readonly type: 'whole.agreed' }
  /** The whole contradicts the digest: pieces were dropped and are fetched anew. */
  | { readonly type: 'whole.differed' }
  /** There is no way to the content. */
  | { readonly type: 'task.failed'; readonly error: WireError }
  /** Nobody waits for the content, or the host is draining. */
  | { readonly type: 'leave' }
  /** Nothing has happened for a while. */
  | { readonly type: 'idle.expired' };

interface PeerContext {
  readonly error: WireError | undefined;
}

/** One host's part in one task, from the first sync to a while after the last transfer. */
export const peerMachine = setup({
  types: { context: {} as PeerContext, events: {} as PeerEvent },
  actions: {
    /** Starts asking known hosts, and the origin, without a scheduler. */
    startAdrift: () => {},
    stopAdrift: () => {},
    /** Hashes the whole in order, compares it with the digest, and marks it as complete on disk. */
    compareWhole: () => {},
    /** Tells everyone who waits. */
    complete: () => {},
    /** Tells everyone who waits why it failed. */
    giveUp: () => {},
    /** Stops transfers and syncs, tells the scheduler, releases the files. */
    release: () => {},
  },
}).createMachine({
  id: 'peer',
  context: { error: undefined },
  initial: 'joining',
  states: {
    joining: {
      on: { 'sync.answered': 'transferring', 'sync.silent': 'adrift', 'pieces.completed': 'verifying' },
    },
    transferring: {
      on: { 'sync.silent': 'adrift', 'pieces.completed': 'verifying' },
    },
    adrift: {
      entry: 'startAdrift',
      exit: 'stopAdrift',
      on: { 'sync.answered': 'transferring', 'pieces.completed': 'verifying' },
    },
    verifying: {
      entry: 'compareWhole',
      on: { 'whole.agreed': 'serving', 'whole.differed': 'joining' },
    },
    serving: {
      entry: 'complete',
      on: { 'idle.expired': 'left', 'whole.differed': 'joining', 'task.failed': {} },
    },
    failed: { type: 'final', entry: ['giveUp', 'release'] },
    left: { type: 'final', entry: 'release' },
  },
  on: {
    'task.failed': { target: '.failed', actions: assign({ error: ({ event }) => event.error }) },
    leave: '.left',
  },
});
