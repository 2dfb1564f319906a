import { assign, fromPromise, setup } from 'xstate';
import { ShoalError } from '../../core/errors.ts';
import { type LeaseFailure, leaseFailure } from '../../core/lease-failure.ts';
import { type Run, sameParent } from '../../core/run.ts';

/** What the chart has done. None of them throws. */
export interface PieceEffects {
  /** The hash that a piece must have by now: it may have been withdrawn or replaced since its first byte. */
  expected(piece: number): Uint8Array | undefined;
  /** Moves the bytes to their place; ends with `transfer.ended`. */
  read(): void;
  /** Fetches the bytes into memory; ends with `bytes.held`, or with `transfer.ended` and an error. */
  hold(): void;
  /** Takes the piece from the lease that writes it; resolves when that one writes no more. */
  seize(): Promise<void>;
  /** Moves what is held to its place; ends with `transfer.ended`. */
  land(): void;
  /** Makes a piece present; `record.failed` where that cannot be. */
  record(piece: number, hash: Uint8Array, length: number): void;
  /** Gives up the hedges of a piece that came. */
  dropHedges(piece: number): void;
  /** Has the transfer end soon. */
  abort(error: ShoalError): void;
  /** Closes the body that waited unread. */
  discard(): void;
}

interface PieceInput {
  readonly run: Run;
  readonly effects: PieceEffects;
}

interface PieceContext extends PieceInput {
  /** What is told of the lease if it fails. */
  readonly failure: LeaseFailure | undefined;
}

export type PieceEvent =
  | { readonly type: 'body.opened' }
  | { readonly type: 'slot.given' }
  /** All bytes of a piece are in their place. */
  | {
      readonly type: 'piece.came';
      readonly piece: number;
      readonly hash: Uint8Array;
      readonly length: number;
    }
  | { readonly type: 'record.failed'; readonly error: ShoalError }
  | { readonly type: 'bytes.held'; readonly hash: Uint8Array }
  /** Another parent is asked for one of these pieces too. */
  | { readonly type: 'hedge.begun'; readonly hedge: Run }
  | { readonly type: 'hedge.proved' }
  | { readonly type: 'transfer.ended'; readonly error?: ShoalError | undefined }
  | { readonly type: 'lease.dropped' };

/** The piece and hash that an event judges. */
function judged({ context: { run }, event }: { context: PieceContext; event: PieceEvent }) {
  if (event.type === 'piece.came') return { piece: event.piece, hash: event.hash };
  return event.type === 'bytes.held' ? { piece: run.first, hash: event.hash } : undefined;
}

/**
 * The pieces of one lease on their way to this host, from lease to verdict. An actor for each single piece would cost
 * three to seven times as much where leases are of four to sixteen.
 */
export const pieceMachine = setup({
  types: { input: {} as PieceInput, context: {} as PieceContext, events: {} as PieceEvent },
  actors: {
    seize: fromPromise<void, PieceEffects>(({ input }) => input.seize()),
  },
  actions: {
    read: ({ context }) => context.effects.read(),
    hold: ({ context }) => context.effects.hold(),
    land: ({ context }) => context.effects.land(),
    discard: ({ context }) => context.effects.discard(),
    record: ({ context, event }) => {
      if (event.type === 'piece.came') context.effects.record(event.piece, event.hash, event.length);
    },
    dropHedges: ({ context, event }) => {
      if (event.type === 'piece.came') context.effects.dropHedges(event.piece);
    },
    abort: ({ context: { effects, failure } }) =>
      effects.abort(failure?.error ?? new ShoalError('ERR_CANCELLED', 'the transfer is not needed any more')),
    blame: assign(({ event }) =>
      'error' in event && event.error ? { failure: leaseFailure(event.error) } : {},
    ),
    accuse: assign((of) => {
      const { from } = of.context.run;
      const details = { piece: judged(of)?.piece, parent: from === 'origin' ? from : from.hostId };
      const message = `piece ${details.piece} from ${details.parent} has another hash than it must`;
      return { failure: leaseFailure(new ShoalError('ERR_PIECE_CORRUPT', message, { details })) };
    }),
  },
  guards: {
    isHedge: ({ context }) => context.run.hedge,
    isAnotherParent: ({ context, event }) =>
      event.type === 'hedge.begun' && !sameParent(context.run, event.hedge),
    /** An origin is believed, and nobody else without a hash. */
    isRight: (of) => {
      const { run, effects } = of.context;
      const came = judged(of);
      if (came === undefined || run.from === 'origin') return came !== undefined;
      const expected = effects.expected(came.piece);
      return expected !== undefined && Buffer.compare(expected, came.hash) === 0;
    },
    isKnown: (of) => of.context.effects.expected(judged(of)?.piece ?? -1) !== undefined,
    hasError: ({ event }) => event.type === 'transfer.ended' && event.error !== undefined,
  },
}).createMachine({
  id: 'piece',
  context: ({ input: { run, effects } }) => ({ run, effects, failure: undefined }),
  initial: 'queued',
  states: {
    queued: {
      on: {
        'body.opened': 'opened',
        'slot.given': [
          { guard: 'isHedge', target: 'held' },
          { target: 'running', actions: 'read' },
        ],
        'lease.dropped': 'dropped',
      },
    },
    opened: {
      on: {
        'slot.given': { target: 'running', actions: 'read' },
        'lease.dropped': { target: 'dropped', actions: 'discard' },
      },
    },
    running: {
      on: {
        'piece.came': [
          { guard: 'isRight', actions: 'record' },
          { guard: 'isKnown', target: 'refused', actions: 'accuse' },
          // Nobody is to blame: the hash was withdrawn while the bytes were on their way.
          { target: 'seized' },
        ],
        'hedge.begun': { guard: 'isAnotherParent', target: 'hedged' },
        'record.failed': { target: 'refused', actions: 'blame' },
        'transfer.ended': [{ guard: 'hasError', target: 'failed', actions: 'blame' }, { target: 'stored' }],
        'lease.dropped': 'seized',
      },
    },
    hedged: {
      on: {
        'piece.came': [
          { guard: 'isRight', actions: ['record', 'dropHedges'] },
          { guard: 'isKnown', target: 'refused', actions: 'accuse' },
          { target: 'seized' },
        ],
        'hedge.begun': { guard: 'isAnotherParent', target: 'hedged' },
        'hedge.proved': 'seized',
        'record.failed': { target: 'refused', actions: 'blame' },
        'transfer.ended': [{ guard: 'hasError', target: 'failed', actions: 'blame' }, { target: 'stored' }],
        'lease.dropped': 'seized',
      },
    },
    held: {
      entry: 'hold',
      on: {
        'bytes.held': [
          { guard: 'isRight', target: 'seizing' },
          { guard: 'isKnown', target: 'failed', actions: 'accuse' },
          { target: 'dropped' },
        ],
        'transfer.ended': { target: 'failed', actions: 'blame' },
        'lease.dropped': 'seized',
      },
    },
    seizing: {
      invoke: {
        id: 'seize',
        src: 'seize',
        input: ({ context }) => context.effects,
        onDone: { target: 'running', actions: 'land' },
      },
      on: { 'lease.dropped': 'dropped' },
    },
    seized: {
      entry: 'abort',
      // What comes now is too late to be judged.
      on: { 'transfer.ended': 'dropped', 'bytes.held': 'dropped' },
    },
    refused: {
      entry: 'abort',
      on: { 'transfer.ended': 'failed' },
    },
    stored: { type: 'final' },
    failed: { type: 'final' },
    dropped: { type: 'final' },
  },
});
