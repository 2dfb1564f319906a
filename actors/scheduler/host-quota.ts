import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';

/** Messages that a host may send at once, and as of when. */
interface Row {
  credit: number;
  atMs: number;
}

/** The hosts that a scheduler hears: each may send as much as a host can need, and no more. */
export class HostQuota {
  /** Heard more than once, and once: those heard longest ago first. */
  readonly #rows = new Map<HostId, Row>();
  readonly #strangers = new Map<HostId, Row>();
  readonly #onDropped: (hostId: HostId) => void;

  /** @param onDropped a host was heard least where there are too many */
  constructor(onDropped: (hostId: HostId) => void) {
    this.#onDropped = onDropped;
  }

  get hosts(): number {
    return this.#rows.size + this.#strangers.size;
  }

  /** Whether a message of that size is taken now; false where the host sends too much. */
  admit(hostId: HostId, bytes: number, nowMs: number): boolean {
    const row = this.#hear(hostId, nowMs);
    const { hostMessagesPerSec, hostMessagesBurst } = LIMITS;
    row.credit = Math.min(hostMessagesBurst, row.credit + ((nowMs - row.atMs) / 1_000) * hostMessagesPerSec);
    row.atMs = nowMs;
    const cost = Math.max(1, bytes / 1_024);
    if (row.credit < cost) return false;
    row.credit -= cost;
    return true;
  }

  #hear(hostId: HostId, nowMs: number): Row {
    const known = this.#rows.get(hostId) ?? this.#strangers.get(hostId);
    if (known !== undefined) {
      this.#rows.delete(hostId);
      this.#strangers.delete(hostId);
      this.#rows.set(hostId, known);
      return known;
    }
    if (this.hosts >= LIMITS.hostsKnown) this.#dropLeastHeard();
    const row = { credit: LIMITS.hostMessagesBurst, atMs: nowMs };
    this.#strangers.set(hostId, row);
    return row;
  }

  #dropLeastHeard(): void {
    const [stranger] = this.#strangers.keys();
    const [hostId = stranger] = stranger === undefined ? this.#rows.keys() : [];
    if (hostId !== undefined) this.#onDropped(hostId);
  }

  /** A host is gone. */
  forget(hostId: HostId): void {
    this.#rows.delete(hostId);
    this.#strangers.delete(hostId);
  }

  /** Hosts that have said nothing for longer than that. */
  silent(nowMs: number, ms: number): HostId[] {
    const found: HostId[] = [];
    for (const rows of [this.#rows, this.#strangers]) {
      for (const [hostId, { atMs }] of rows) {
        if (nowMs - atMs <= ms) break;
        found.push(hostId);
      }
    }
    return found;
  }
}
