import type { HostAddress, HostRole } from '../../core/host.ts';
import type { Alive } from '../../core/host-messages.ts';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { HostRing } from './host-ring.ts';

/** What a scheduler knows of a host. */
export interface KnownHost {
  readonly hostId: HostId;
  readonly alive: Alive;
  /** Monotonic ms of the last word from it. */
  readonly heardMs: number;
}

interface Row {
  readonly hostId: HostId;
  alive: Alive;
  heardMs: number;
  /** How much time had been excused then, ms. */
  excusedMs: number;
}

/** All hosts of the swarm, as their `alive` messages tell. */
export class HostTable {
  readonly #rows = new Map<HostId, Row>();
  readonly #rings: Readonly<Record<HostRole, HostRing>> = { seed: new HostRing(), normal: new HostRing() };
  /** Time in which no host could be heard, ms. */
  #excusedMs = 0;

  /** Returns whether the host is new here, or came back as a new incarnation. */
  hear(hostId: HostId, alive: Alive, nowMs: number): 'known' | 'new' | 'reborn' {
    const row = this.#rows.get(hostId);
    if (row?.alive.role !== alive.role) {
      if (row !== undefined) this.#rings[row.alive.role].delete(hostId);
      this.#rings[alive.role].add(hostId);
    }
    if (row === undefined) {
      this.#rows.set(hostId, { hostId, alive, heardMs: nowMs, excusedMs: this.#excusedMs });
      return 'new';
    }
    const isSame = row.alive.incarnation === alive.incarnation;
    row.alive = alive;
    row.heardMs = nowMs;
    row.excusedMs = this.#excusedMs;
    return isSame ? 'known' : 'reborn';
  }

  /** A word of the host came, whatever it says; returns whether the host is known. */
  touch(hostId: HostId, nowMs: number): boolean {
    const row = this.#rows.get(hostId);
    if (row === undefined) return false;
    row.heardMs = nowMs;
    row.excusedMs = this.#excusedMs;
    return true;
  }

  /** For so long no host could be heard: it proves nothing that none was. */
  excuse(ms: number): void {
    this.#excusedMs += ms;
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
    const gone: KnownHost[] = [];
    for (const row of this.#rows.values()) {
      const silentMs = nowMs - row.heardMs - (this.#excusedMs - row.excusedMs);
      if (silentMs > LIMITS.hostGoneMs) gone.push(row);
    }
    for (const { hostId } of gone) this.remove(hostId);
    return gone;
  }

  remove(hostId: HostId): void {
    const row = this.#rows.get(hostId);
    if (row === undefined) return;
    this.#rows.delete(hostId);
    this.#rings[row.alive.role].delete(hostId);
  }

  rows(): Iterable<KnownHost> {
    return this.#rows.values();
  }

  *seeds(): Generator<KnownHost> {
    for (const hostId of this.#rings.seed) {
      const row = this.#rows.get(hostId);
      if (row !== undefined) yield row;
    }
  }

  ids(): Iterable<HostId> {
    return this.#rows.keys();
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Seeds first; of each kind the next in turn, so that hosts know different ones. The caller itself is left out. */
  addressBook(except: HostId): HostAddress[] {
    const seeds = this.#rings.seed.take(LIMITS.addressBookHosts, except);
    const others = this.#rings.normal.take(LIMITS.addressBookHosts - seeds.length, except);
    return [...seeds, ...others].flatMap((hostId) => this.address(hostId) ?? []);
  }
}
