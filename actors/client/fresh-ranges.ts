import { Bitfield } from '../../core/bitfield.ts';
import type { FreshBytes } from '../../core/download.ts';
import { pieceOffset, pieceSize } from '../../core/piece.ts';
import type { PeerContent } from '../host/peer/content.ts';

/** Tells, each time it is asked, which bytes of a task were verified since the last time. */
export class FreshRanges {
  readonly #content: PeerContent;
  #revision = '';
  #told: Bitfield | undefined;

  constructor(content: PeerContent) {
    this.#content = content;
  }

  /** Undefined while there is no file that a client may read. */
  take(): FreshBytes | undefined {
    const { stored, length, pieceLength, revision, audience } = this.#content;
    if (stored === undefined || length === undefined || pieceLength === undefined || audience !== 'public') {
      return undefined;
    }
    if (this.#told === undefined || this.#revision !== revision) {
      this.#told = new Bitfield(stored.have.length);
      this.#revision = revision;
    }
    const fresh: [number, number][] = [];
    for (const piece of stored.have.ones()) {
      if (!this.#told.add(piece)) continue;
      const start = pieceOffset({ pieceLength }, piece);
      const end = start + pieceSize({ length, pieceLength }, piece);
      const last = fresh.at(-1);
      if (last?.[1] === start) last[1] = end;
      else fresh.push([start, end]);
    }
    return { path: stored.path, revision, pieceBytes: pieceLength, fresh };
  }
}
