import { randomInt } from '../../../core/clock.ts';
import type { HostWorld } from '../world.ts';
import type { PeerContent } from './content.ts';
import type { LeaseBook } from './lease-book.ts';
import type { PeerNeeds } from './needs.ts';

interface MissingPiecesOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly book: LeaseBook;
  /** Knows the piece that a reader needs next. */
  readonly needs: PeerNeeds;
}

/** The pieces that a peer lacks and that are not on their way to it, and which of them it takes next. */
export class MissingPieces {
  readonly #options: MissingPiecesOptions;
  /** Where the last reader is, in pieces: a lone host reads on from there. */
  #cursor = 0;

  constructor(options: MissingPiecesOptions) {
    this.#options = options;
  }

  has(piece: number): boolean {
    const { content, book } = this.#options;
    return !content.has(piece) && !book.isInFlight(piece);
  }

  /** What a reader waits for. */
  get urgent(): number | undefined {
    const piece = this.#options.needs.urgent;
    this.#cursor = piece ?? this.#cursor;
    return piece;
  }

  /** What a reader needs next; else from where it is on where nobody else reads, or from a random place on. */
  pick(wanted: (piece: number) => boolean): number | undefined {
    const { world, content } = this.#options;
    const { urgent } = this;
    if (urgent !== undefined && wanted(urgent)) return urgent;
    const pieces = content.pieces ?? (content.stored?.have.length || 0);
    const from = world.alone ? this.#cursor : pieces === 0 ? 0 : randomInt(world.random, pieces);
    for (let step = 0; step < pieces; step += 1) {
      const piece = (from + step) % pieces;
      if (this.has(piece) && wanted(piece)) return piece;
    }
    return undefined;
  }

  /** How many pieces from there on are wanted, up to so many bytes; one at least. */
  count(first: number, mostBytes: number, wanted: (piece: number) => boolean): number {
    const { pieceLength, pieces = 0 } = this.#options.content;
    const most = Math.floor(mostBytes / (pieceLength ?? mostBytes));
    let count = 1;
    for (let piece = first + 1; count < most && piece < pieces; piece += 1) {
      if (!this.has(piece) || !wanted(piece)) break;
      count += 1;
    }
    return count;
  }
}
