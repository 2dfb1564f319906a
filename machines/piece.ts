import { assign, setup } from 'xstate';
import type { FailureReason, Parent } from '../core/sync-messages.ts';

interface PieceInput {
  readonly piece: number;
  readonly parent: Parent;
}

interface PieceContext extends PieceInput {
  /** What its SHA-256 must be; undefined is believed of an origin, and of nobody else. */
  readonly expected: Uint8Array | undefined;
  readonly hash: Uint8Array | undefined;
  readonly length: number;
  readonly reason: FailureReason | undefined;
}

export type PieceEvent =
  | { readonly type: 'bytes.started' }
  | {
      readonly type: 'bytes.ended';
      readonly hash: Uint8Array;
      readonly length: number;
      /** What the hash must be by now: it may have been withdrawn or replaced since the first byte. */
      readonly expected: Uint8Array | undefined;
    }
  | { readonly type: 'transfer.failed'; readonly reason: FailureReason };

/** How a piece ended. */
export interface PieceOutcome {
  readonly piece: number;
  readonly reason: FailureReason | undefined;
}

/**
 * One piece on its way to this host, from lease to verdict. The bytes are written as they come; `record` is what
 * makes the piece present, and runs only when the hash is right.
 */
export const pieceMachine = setup({
  types: {
    input: {} as PieceInput,
    context: {} as PieceContext,
    events: {} as PieceEvent,
    output: {} as PieceOutcome,
  },
  actions: {
    /** Writes the record that makes the piece present. */
    record: () => {},
  },
  guards: {
    isIntact: ({ context: { parent, expected, hash } }) => {
      if (hash === undefined) return false;
      if (expected === undefined) return parent === 'origin';
      return expected.length === hash.length && expected.every((byte, index) => byte === hash[index]);
    },
  },
}).createMachine({
  id: 'piece',
  context: ({ input }) => ({ ...input, expected: undefined, hash: undefined, length: 0, reason: undefined }),
  initial: 'requesting',
  output: ({ context }) => ({ piece: context.piece, reason: context.reason }),
  states: {
    requesting: {
      on: { 'bytes.started': 'receiving' },
    },
    receiving: {
      on: {
        'bytes.ended': {
          target: 'verifying',
          actions: assign(({ event: { hash, length, expected } }) => ({ hash, length, expected })),
        },
      },
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
