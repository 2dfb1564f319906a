import type { HostId } from '../../../core/ids.ts';
import { Bits } from '../../../scheduling/bits.ts';

/**
 * Who holds pieces whose hash nobody has vouched for. A few bits for each piece that a host says it holds: it may say that
 * of all there can be.
 */
export class Unvouched {
  readonly #byHost = new Map<HostId, Bits>();
  /** By piece, how many hosts hold it. */
  #holders = new Uint16Array(64);

  add(hostId: HostId, piece: number): void {
    const bits = this.#byHost.get(hostId) ?? new Bits(piece + 1);
    this.#byHost.set(hostId, bits);
    if (!bits.add(piece)) return;
    if (piece >= this.#holders.length) {
      const grown = new Uint16Array(Math.max(piece + 1, 2 * this.#holders.length));
      grown.set(this.#holders);
      this.#holders = grown;
    }
    this.#holders[piece] = (this.#holders[piece] ?? 0) + 1;
  }

  /** Whether any host holds the piece. */
  has(piece: number): boolean {
    return (this.#holders[piece] ?? 0) > 0;
  }

  holds(hostId: HostId, piece: number): boolean {
    return this.#byHost.get(hostId)?.has(piece) === true;
  }

  /** All that a host holds. */
  of(hostId: HostId): Iterable<number> {
    return this.#byHost.get(hostId)?.values() ?? [];
  }

  /** Takes the piece out; returns who held it. */
  take(piece: number): HostId[] {
    if (!this.has(piece)) return [];
    const holders: HostId[] = [];
    for (const [hostId, bits] of this.#byHost) {
      if (!bits.delete(piece)) continue;
      holders.push(hostId);
      if (bits.count === 0) this.#byHost.delete(hostId);
    }
    this.#holders[piece] = 0;
    return holders;
  }

  /** Forgets a host; returns the pieces that nobody holds any more. */
  lose(hostId: HostId): number[] {
    const lost: number[] = [];
    for (const piece of this.of(hostId)) {
      const left = (this.#holders[piece] ?? 1) - 1;
      this.#holders[piece] = left;
      if (left === 0) lost.push(piece);
    }
    this.#byHost.delete(hostId);
    return lost;
  }

  clear(): void {
    this.#byHost.clear();
    this.#holders = new Uint16Array(64);
  }
}
