import { type Random, randomInt } from '../core/clock.ts';
import type { HostId } from '../core/ids.ts';
import { Bits } from './bits.ts';
import type { JoinAs } from './ledger-types.ts';
import { type Member, newMember } from './member.ts';

/** The hosts of a task: by id, by a dense index that is reused, and by zone. */
export class Members {
  /** Indexes of the hosts of each zone. */
  readonly zones = new Map<string, Bits>();
  readonly #byId = new Map<HostId, Member>();
  readonly #byIndex: (Member | undefined)[] = [];
  readonly #freeIndexes: number[] = [];

  get size(): number {
    return this.#byId.size;
  }

  get(id: HostId): Member | undefined {
    return this.#byId.get(id);
  }

  at(index: number): Member | undefined {
    return this.#byIndex[index];
  }

  ids(): IterableIterator<HostId> {
    return this.#byId.keys();
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return this.#byId.values();
  }

  /** Adds a host that is not there yet. */
  add(id: HostId, as: JoinAs): Member {
    const index = this.#freeIndexes.pop() ?? this.#byIndex.length;
    const member = newMember(index, id, as);
    this.#byId.set(id, member);
    this.#byIndex[index] = member;
    return member;
  }

  /** Takes over how a host takes part. */
  update(member: Member, as: JoinAs): void {
    member.role = as.role;
    member.mayReadOrigin = as.mayReadOrigin;
    member.wants = as.wants ?? true;
    this.#move(member, as.zone);
  }

  delete(member: Member): void {
    this.#move(member, undefined);
    this.#byId.delete(member.id);
    this.#byIndex[member.index] = undefined;
    this.#freeIndexes.push(member.index);
  }

  /** A few hosts other than `host` that can give something, at random, at most `max`. */
  some(random: Random, host: HostId, max: number): HostId[] {
    const found: HostId[] = [];
    const size = this.#byIndex.length;
    const start = size === 0 ? 0 : randomInt(random, size);
    for (let step = 0; step < size && found.length < max; step += 1) {
      const other = this.#byIndex[(start + step) % size];
      if (other === undefined || other.id === host || other.quarantined || other.have.count === 0) continue;
      found.push(other.id);
    }
    return found;
  }

  #move(member: Member, zone: string | undefined): void {
    if (member.zone !== undefined) {
      const old = this.zones.get(member.zone);
      old?.delete(member.index);
      if (old?.count === 0) this.zones.delete(member.zone);
    }
    member.zone = zone;
    if (zone === undefined) return;
    const hosts = this.zones.get(zone) ?? new Bits();
    hosts.add(member.index);
    this.zones.set(zone, hosts);
  }
}
