import type { Parent } from '../../../core/sync-messages.ts';
import type { RunWriter, StoredTask } from '../../../storage/store.ts';
import type { PeerContent } from '../peer/content.ts';
import { PieceActor } from './piece.ts';

interface SinkOptions {
  readonly content: PeerContent;
  readonly stored: StoredTask;
  readonly pieceLength: number;
  readonly parent: Parent;
  /** First piece, and where the run ends in bytes (undefined: with the stream). */
  readonly first: number;
  readonly count: number;
  readonly onBytes: (bytes: number) => void;
  readonly onStored: (piece: number, hash: Uint8Array, length: number) => void;
}

/**
 * Takes the bytes of a run in order and turns them into pieces: written in their place, hashed, and only then
 * recorded. Bytes of a piece that is there already are passed over, never written again.
 */
export class PieceSink {
  /** Offset in the content of the next byte. */
  position: number;
  readonly #options: SinkOptions;
  readonly #actors = new Map<number, PieceActor>();
  #writer: RunWriter | undefined;
  #writing = -1;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.position = options.first * options.pieceLength;
    const last = options.first + Math.min(options.count, 256);
    for (let piece = options.first; piece < last; piece += 1) {
      if (!options.content.has(piece)) this.#actor(piece);
    }
  }

  #actor(piece: number): PieceActor {
    const known = this.#actors.get(piece);
    if (known) return known;
    const { stored, parent, onStored } = this.#options;
    const actor = new PieceActor({ piece, parent }, (index, hash, length) => {
      stored.commit(index, hash, length);
      onStored(index, hash, length);
    });
    this.#actors.set(piece, actor);
    return actor;
  }

  /** @throws ERR_PIECE_CORRUPT, ERR_PIECE_HASH_UNKNOWN, ERR_STORE_FULL, ERR_STORE_IO */
  write(chunk: Uint8Array): void | Promise<void> {
    this.#options.onBytes(chunk.length);
    return this.#consume(chunk, 0);
  }

  #consume(chunk: Uint8Array, from: number): void | Promise<void> {
    const { pieceLength, content } = this.#options;
    let at = from;
    while (at < chunk.length) {
      const piece = Math.floor(this.position / pieceLength);
      const end = Math.min((piece + 1) * pieceLength, content.length ?? Number.POSITIVE_INFINITY);
      const take = Math.min(chunk.length - at, end - this.position);
      if (take <= 0) throw new RangeError('bytes beyond the end of the content');
      const part = chunk.subarray(at, at + take);
      at += take;
      this.position += take;
      const writer = this.#writerFor(piece);
      const pending = writer?.write(part);
      if (pending !== undefined) return pending.then(() => this.#consume(chunk, at));
    }
  }

  /** The writer of a piece; undefined where the piece is there already. */
  #writerFor(piece: number): RunWriter | undefined {
    if (this.#writing === piece) return this.#writer;
    this.#writing = piece;
    const { content, stored, parent } = this.#options;
    if (content.has(piece)) {
      this.#writer = undefined;
      return undefined;
    }
    const actor = this.#actor(piece);
    actor.started();
    this.#writer = stored.writer(piece, 1, (index, hash, length) => {
      this.#actors.delete(index);
      const expected = parent === 'origin' ? undefined : content.expected(index);
      if (!content.has(index)) actor.finish(hash, length, expected);
    });
    return this.#writer;
  }

  /** The stream ended, and with it content of unknown length: the piece in progress ends too. */
  async end(): Promise<void> {
    await this.#writer?.end();
  }

  /** Ends the pieces that did not arrive. */
  abandon(reason: 'unreachable' | 'stalled' | 'store'): void {
    for (const actor of this.#actors.values()) actor.fail(reason);
    this.#actors.clear();
  }
}
