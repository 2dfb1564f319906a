import { type Actor, createActor } from 'xstate';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { FailureReason, Parent } from '../../../core/sync-messages.ts';
import { pieceMachine } from '../../../machines/host/piece.ts';
import { Owners } from '../../owners.ts';

const owners = new Owners<(hash: Uint8Array, length: number) => void>();
const machine = pieceMachine.provide({
  actions: {
    record: ({ self, event }) => {
      if (event.type === 'bytes.ended') owners.of(self)(event.hash, event.length);
    },
  },
});

/** One piece in flight: the machine, and the record it writes when the piece proves right. */
export class PieceActor {
  readonly piece: number;
  readonly #actor: Actor<typeof pieceMachine>;
  #error: ShoalError | undefined;

  /** @param record makes the piece present; what it throws fails the piece. */
  constructor(
    input: { piece: number; parent: Parent },
    record: (piece: number, hash: Uint8Array, length: number) => void,
  ) {
    this.piece = input.piece;
    this.#actor = createActor(machine, { input });
    owners.set(this.#actor, (hash, length) => {
      try {
        record(input.piece, hash, length);
      } catch (error) {
        this.#error = toShoalError(error);
      }
    });
    this.#actor.subscribe({ error: (error) => (this.#error = toShoalError(error)) });
    this.#actor.start();
  }

  get ended(): boolean {
    return this.#actor.getSnapshot().status !== 'active';
  }

  started(): void {
    this.#actor.send({ type: 'bytes.started' });
  }

  /**
   * All bytes are written, and have this hash; `expected` is what it must be.
   * @throws ERR_PIECE_CORRUPT, ERR_PIECE_HASH_UNKNOWN, or what the record threw
   */
  finish(hash: Uint8Array, length: number, expected: Uint8Array | undefined): void {
    this.#actor.send({ type: 'bytes.ended', hash, length, expected });
    if (this.#error) throw this.#error;
    const { parent, reason } = this.#actor.getSnapshot().context;
    if (reason === undefined) return;
    if (expected === undefined) {
      // Nobody is to blame: the hash was withdrawn while the bytes were on their way.
      throw new ShoalError('ERR_PIECE_HASH_UNKNOWN', `the hash of piece ${this.piece} is not known here`);
    }
    throw new ShoalError(
      'ERR_PIECE_CORRUPT',
      `piece ${this.piece} from ${parent} has another hash than it must`,
      { details: { piece: this.piece, parent } },
    );
  }

  fail(reason: FailureReason): void {
    if (!this.ended) this.#actor.send({ type: 'transfer.failed', reason });
    this.#actor.stop();
  }
}
