import type { HostId } from '../../core/ids.ts';

/** Hosts in a ring, of which the next few are told to each who asks: whoever asks, it costs as many steps. */
export class HostRing {
  readonly #ids: HostId[] = [];
  readonly #at = new Map<HostId, number>();
  #next = 0;

  get size(): number {
    return this.#ids.length;
  }

  add(hostId: HostId): void {
    if (this.#at.has(hostId)) return;
    this.#at.set(hostId, this.#ids.length);
    this.#ids.push(hostId);
  }

  /** The last one takes its place. */
  delete(hostId: HostId): void {
    const at = this.#at.get(hostId);
    const last = this.#ids.pop();
    this.#at.delete(hostId);
    if (at === undefined || last === undefined || last === hostId) return;
    this.#ids[at] = last;
    this.#at.set(last, at);
  }

  /** The next hosts other than that one, `most` at most, none twice. */
  take(most: number, except: HostId): HostId[] {
    const found: HostId[] = [];
    for (let steps = this.size; steps > 0 && found.length < most; steps -= 1) {
      const hostId = this.#ids[this.#next % this.size];
      this.#next = (this.#next + 1) % this.size;
      if (hostId !== undefined && hostId !== except) found.push(hostId);
    }
    return found;
  }

  [Symbol.iterator](): Iterator<HostId> {
    return this.#ids[Symbol.iterator]();
  }
}
