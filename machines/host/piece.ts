import { assign, setup } from 'xstate';
import type { FailureReason, Parent } from '../../core/sync-messages.ts';

interface PieceInput {
  readonly piece: number;
  readonly parent: Parent;
}

interface PieceContext extends PieceInput {
  /** Why it failed. */
  readonly reason: FailureReason | undefined;
}

export type PieceEvent =
  | { readonly type: 'bytes.started' }
  | {
      readonly type: 'bytes.ended';
      readonly hash: Uint8Array;
      readonly length: number;
      /**
       * What the hash must be by now: it may have been withdrawn or replaced since the first byte. Undefined is
       * believed of an origin, and of nobody else.
       */
      readonly expected: Uint8Array | undefined;
    }
  | { readonly type: 'transfer.failed'; readonly reason: FailureReason };

/**
 * One piece on its way to this host, from lease to verdict. The bytes are written as they come; `record` is what
 * makes the piece present, and runs only when the hash is right. What is judged stays in the event: every piece
 * would pay for carrying it through the context.
 */
export const pieceMachine = setup({
  types: {
    input: {} as PieceInput,
    context: {} as PieceContext,
    events: {} as PieceEvent,
  },
  actions: {
    /** Writes the record that makes the piece present. */
    record: () => {},
  },
  guards: {
    isIntact: ({ context: { parent }, event }) => {
      if (event.type !== 'bytes.ended') return false;
      const { hash, expected } = event;
      return expected === undefined ? parent === 'origin' : Buffer.compare(expected, hash) === 0;
    },
  },
}).createMachine({
  id: 'piece',
  context: ({ input: { piece, parent } }) => ({ piece, parent, reason: undefined }),
  initial: 'requesting',
  states: {
    requesting: {
      on: { 'bytes.started': 'receiving' },
    },
    receiving: {
      on: { 'bytes.ended': 'verifying' },
    },
    verifying: {
      always: [
        { guard: 'isIntact', target: 'stored' },
        { target: 'failed', actions: assign({ reason: 'corrupt' as const }) },
      ],
    },
    stored: { type: 'final', entry: 'record' },
    failed: { type: 'final' },
  },
  on: {
    'transfer.failed': { target: '.failed', actions: assign({ reason: ({ event }) => event.reason }) },
  },
});
