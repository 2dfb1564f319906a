import { LIMITS } from '../core/limits.ts';
import { avoids } from './avoidance.ts';
import type { Flights } from './flights.ts';
import type { Member } from './member.ts';
import { OriginCap } from './origin-cap.ts';
import type { TaskReads } from './origin-reads.ts';
import type { Pace } from './pace.ts';

const MOST_AHEAD = 16;
/** For so long after the first read, one who reads alone reads one piece at a time: others may be about to come. */
const ALONE_AFTER_MS = 500;
/** Who lags behind leaves the origin to others while at least that many read it. */
const ENOUGH_READERS = 2;

/** Who may read the origin, how many at once, and how much each may have outstanding. */
export class OriginLeases {
  readonly cap: OriginCap;
  readonly #flights: Flights;
  readonly #pace: Pace;
  readonly #reads: TaskReads;
  readonly #candidates = new Set<Member>();
  #begunMs: number | undefined;

  constructor(flights: Flights, pace: Pace, reads: TaskReads, fixedReaders?: number) {
    this.#flights = flights;
    this.#pace = pace;
    this.#reads = reads;
    this.cap = new OriginCap(fixedReaders);
  }

  /** Says whether the member can and wants to read now. */
  candidate(member: Member, is: boolean): void {
    if (this.#candidates.has(member) === is) return;
    if (is) this.#candidates.add(member);
    else this.#candidates.delete(member);
    this.#reads.want(member.id, is);
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
  parallel(member: Member, nowMs: number): number {
    this.#begunMs ??= nowMs;
    return nowMs - this.#begunMs < ALONE_AFTER_MS ? LIMITS.originLeasesPerHost : this.#share(member);
  }

  /** Whether so few read that the member had better go through the content in order. */
  isQuiet(member: Member): boolean {
    return this.#share(member) > 1;
  }

  #share(member: Member): number {
    if (!this.#candidates.has(member)) return LIMITS.originLeasesPerHost;
    const each = Math.floor(LIMITS.originLeasesPerTask / this.#candidates.size);
    return Math.max(LIMITS.originLeasesPerHost, Math.min(LIMITS.originLeasesLoneHost, each));
  }

  /** Whether the member may be given one more lease; `aheadLeases` are planned behind those that run. */
  mayTake(member: Member, aheadLeases: number, nowMs: number): boolean {
    if (!member.mayReadOrigin || avoids(member, 'origin', nowMs)) return false;
    // What it reads is of no use to anybody else: it gets from those what they read.
    if (member.quarantined && this.#trustedRead(nowMs)) return false;
    const ahead = Math.min(MOST_AHEAD, Math.max(1, Math.ceil(aheadLeases)));
    if (member.originFlights >= this.parallel(member, nowMs) + ahead) return false;
    if (this.#pace.lags(member)) {
      const others = this.#flights.originReaders - (member.originFlights > 0 ? 1 : 0);
      if (others >= ENOUGH_READERS) return false;
    }
    if (member.originFlights > 0) return true;
    if (!this.#reads.mayBegin(member.id, nowMs)) return false;
    const free = this.cap.readers - this.#flights.originReaders;
    return free > 0 && (member.role === 'seed' || free > this.#seedsInLine(nowMs));
  }

  #trustedRead(nowMs: number): boolean {
    for (const other of this.#candidates) {
      if (!other.quarantined && !avoids(other, 'origin', nowMs)) return true;
    }
    return false;
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
