import type { HostId } from '../../../core/ids.ts';
import type { PieceFailure } from '../../../core/sync-messages.ts';

/** Pieces of one host that wait to be hashed again at once; children that accuse it of more are not heard. */
const MOST_PIECES = 1024;

/** Pieces that children got wrong, by the host that gave them, until that host has hashed them again. */
export class Suspects {
  readonly #byHost = new Map<HostId, Set<number>>();

  /** A child got pieces wrong; returns the host that is to hear of it now, where there is any that has not. */
  accuse({ first, count, parent, reason }: PieceFailure, pieces: number): HostId | undefined {
    if (reason !== 'corrupt' || parent === 'origin') return undefined;
    const known = this.#byHost.get(parent) ?? new Set();
    const before = known.size;
    for (let piece = first; piece < Math.min(first + count, pieces); piece += 1) {
      if (known.size < MOST_PIECES) known.add(piece);
    }
    if (known.size === before) return undefined;
    this.#byHost.set(parent, known);
    return parent;
  }

  /** What the host is to hash again. */
  of(hostId: HostId): number[] | undefined {
    const pieces = this.#byHost.get(hostId);
    return pieces && [...pieces];
  }

  /** The host has hashed them again; returns whether that was all it was accused of. */
  rechecked(hostId: HostId, pieces: readonly number[]): boolean {
    const known = this.#byHost.get(hostId);
    if (known === undefined) return false;
    for (const piece of pieces) known.delete(piece);
    return known.size === 0 && this.#byHost.delete(hostId);
  }

  forget(hostId: HostId): void {
    this.#byHost.delete(hostId);
  }
}
