import type { HostAddress, HostRole } from '../../core/host.ts';
import type { Alive } from '../../core/host-messages.ts';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';

/** What a scheduler knows of a host. */
export interface KnownHost {
  readonly hostId: HostId;
  readonly alive: Alive;
  /** Monotonic ms of the last word from it. */
  readonly heardMs: number;
}

/** All hosts of the swarm, as their `alive` messages tell. */
export class HostTable {
  readonly #rows = new Map<HostId, KnownHost>();

  /** Returns whether the host is new here, or came back as a new incarnation. */
  hear(hostId: HostId, alive: Alive, nowMs: number): 'known' | 'new' | 'reborn' {
    const before = this.#rows.get(hostId);
    this.#rows.set(hostId, { hostId, alive, heardMs: nowMs });
    if (before === undefined) return 'new';
    return before.alive.incarnation === alive.incarnation ? 'known' : 'reborn';
  }

  get(hostId: HostId): KnownHost | undefined {
    return this.#rows.get(hostId);
  }

  role(hostId: HostId): HostRole {
    return this.#rows.get(hostId)?.alive.role ?? 'normal';
  }

  address(hostId: HostId): HostAddress | undefined {
    const row = this.#rows.get(hostId);
    return row && { hostId, ip: row.alive.ip, port: row.alive.port };
  }

  /** Removes and returns the hosts not heard of for too long. */
  sweep(nowMs: number): KnownHost[] {
    const gone = [...this.#rows.values()].filter((row) => nowMs - row.heardMs > LIMITS.hostGoneMs);
    for (const { hostId } of gone) this.#rows.delete(hostId);
    return gone;
  }

  remove(hostId: HostId): void {
    this.#rows.delete(hostId);
  }

  rows(): Iterable<KnownHost> {
    return this.#rows.values();
  }

  ids(): Iterable<HostId> {
    return this.#rows.keys();
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Seeds first, then the ones heard of last; the caller itself left out. */
  addressBook(except: HostId): HostAddress[] {
    return [...this.#rows.values()]
      .filter((row) => row.hostId !== except)
      .sort(
        (a, b) => Number(b.alive.role === 'seed') - Number(a.alive.role === 'seed') || b.heardMs - a.heardMs,
      )
      .slice(0, LIMITS.addressBookHosts)
      .map(({ hostId, alive }) => ({ hostId, ip: alive.ip, port: alive.port }));
  }
}
