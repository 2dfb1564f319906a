import type { RunWriter, StoredTask } from '../../../storage/store.ts';
import type { PeerContent } from '../peer/content.ts';

interface SinkOptions {
  readonly content: PeerContent;
  readonly stored: StoredTask;
  readonly pieceLength: number;
  /** First piece of the run. */
  readonly first: number;
  /** Aborts when the bytes are not wanted any more: nothing is written after that. */
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
  /** All bytes of a piece are in their place; what comes of it is the lease's to decide. */
  readonly onPiece: (piece: number, hash: Uint8Array, length: number) => void;
}

/**
 * Takes the bytes of a run in order and turns them into pieces: written in their place and hashed. Bytes of a piece
 * that is there already are passed over, never written again.
 */
export class PieceSink {
  /** Offset in the content of the next byte. */
  position: number;
  readonly #options: SinkOptions;
  #writer: RunWriter | undefined;
  #writing = -1;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.position = options.first * options.pieceLength;
  }

  /** @throws ERR_STORE_FULL, ERR_STORE_IO, and what the signal was aborted with */
  write(chunk: Uint8Array): void | Promise<void> {
    this.#options.onBytes(chunk.length);
    return this.#consume(chunk, 0);
  }

  #consume(chunk: Uint8Array, from: number): void | Promise<void> {
    const { pieceLength, content, signal } = this.#options;
    let at = from;
    while (at < chunk.length) {
      signal.throwIfAborted();
      const piece = Math.floor(this.position / pieceLength);
      const end = Math.min((piece + 1) * pieceLength, content.length ?? Number.POSITIVE_INFINITY);
      const take = Math.min(chunk.length - at, end - this.position);
      if (take <= 0) throw new RangeError('bytes beyond the end of the content');
      const part = chunk.subarray(at, at + take);
      at += take;
      this.position += take;
      const pending = this.#writerFor(piece)?.write(part);
      if (pending !== undefined) return pending.then(() => this.#consume(chunk, at));
    }
  }

  /** The writer of a piece; undefined where the piece is there already. */
  #writerFor(piece: number): RunWriter | undefined {
    if (this.#writing === piece) return this.#writer;
    const { content, stored, onPiece } = this.#options;
    this.#writing = piece;
    this.#writer = content.has(piece)
      ? undefined
      : stored.writer(piece, 1, (index, hash, length) => {
          if (!content.has(index)) onPiece(index, hash, length);
        });
    return this.#writer;
  }

  /** The stream ended, and with it content of unknown length: the piece in progress ends too. */
  async end(): Promise<void> {
    this.#options.signal.throwIfAborted();
    await this.#writer?.end();
    this.#options.signal.throwIfAborted();
  }
}
