import type { HostId } from '../../../core/ids.ts';
import { Bits } from '../../../scheduling/bits.ts';

/** Who holds pieces whose hash nobody has vouched for: a bit for each, since anybody may say so of any number. */
export class Unvouched {
  readonly #byHost = new Map<HostId, Bits>();

  add(piece: number, hostId: HostId): void {
    const pieces = this.#byHost.get(hostId) ?? new Bits();
    pieces.add(piece);
    this.#byHost.set(hostId, pieces);
  }

  has(piece: number, hostId: HostId): boolean {
    return this.#byHost.get(hostId)?.has(piece) ?? false;
  }

  /** Takes the piece out; returns who holds it. */
  take(piece: number): HostId[] {
    const holders: HostId[] = [];
    for (const [hostId, pieces] of this.#byHost) {
      if (!pieces.delete(piece)) continue;
      holders.push(hostId);
      if (pieces.count === 0) this.#byHost.delete(hostId);
    }
    return holders;
  }

  lose(hostId: HostId): void {
    this.#byHost.delete(hostId);
  }

  clear(): void {
    this.#byHost.clear();
  }
}
