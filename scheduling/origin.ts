import { LIMITS } from '../core/limits.ts';
import { avoids } from './avoidance.ts';
import type { Flights } from './flights.ts';
import type { Member } from './member.ts';
import { OriginCap } from './origin-cap.ts';

const MOST_AHEAD = 16;

/** Who may read the origin, how many at once, and how much each may have outstanding. */
export class Origin {
  readonly cap: OriginCap;
  readonly #flights: Flights;
  readonly #candidates = new Set<Member>();

  constructor(flights: Flights, fixedReaders?: number) {
    this.#flights = flights;
    this.cap = new OriginCap(fixedReaders);
  }

  /** Says whether the member can and wants to read now. */
  candidate(member: Member, is: boolean): void {
    if (is) this.#candidates.add(member);
    else this.#candidates.delete(member);
  }

  /** Whether any child may read the origin. */
  get hasReaders(): boolean {
    return this.#candidates.size > 0;
  }

  /** Whether more hosts could read than may at once. */
  get crowded(): boolean {
    return this.#candidates.size > this.cap.readers;
  }

  /**
   * How many leases of the origin the member may run at once: the more the fewer read, so that on a child's link the
   * origin is not crowded out by peers.
   */
  parallel(member: Member): number {
    if (!this.#candidates.has(member)) return LIMITS.originLeasesPerHost;
    const each = Math.floor(LIMITS.originLeasesPerTask / this.#candidates.size);
    return Math.max(LIMITS.originLeasesPerHost, Math.min(LIMITS.originLeasesLoneHost, each));
  }

  /** Whether the member may be given one more lease; `aheadLeases` are planned behind those that run. */
  mayTake(member: Member, aheadLeases: number, nowMs: number): boolean {
    if (!member.mayReadOrigin || avoids(member, 'origin', nowMs)) return false;
    const ahead = Math.min(MOST_AHEAD, Math.max(1, Math.ceil(aheadLeases)));
    if (member.originFlights >= this.parallel(member) + ahead) return false;
    if (member.originFlights > 0) return true;
    const free = this.cap.readers - this.#flights.originReaders;
    return free > 0 && (member.role === 'seed' || free > this.#seedsInLine(nowMs));
  }

  #seedsInLine(nowMs: number): number {
    if (!this.crowded) return 0;
    let seeds = 0;
    for (const other of this.#candidates) {
      if (other.role === 'seed' && other.originFlights === 0 && !avoids(other, 'origin', nowMs)) seeds += 1;
    }
    return seeds;
  }
}
