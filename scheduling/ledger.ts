import { Bitfield } from '../core/bitfield.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Geometry } from '../core/piece.ts';
import type { Lease } from '../core/sync-messages.ts';
import { couldTake, type Demand, grantLeases, wanted } from './grants.ts';
import { leasesOf } from './lease-runs.ts';
import { LedgerHosts } from './ledger-hosts.ts';
import { LedgerState } from './ledger-state.ts';
import type { JoinAs, LedgerOptions, LedgerStats, Report, Standing } from './ledger-types.ts';
import { brings, type Member } from './member.ts';
import { reconcileFlights } from './reconcile.ts';

/**
 * What the scheduler knows of one task: who holds which piece, who is fetching which from whom; and the policy.
 *
 * A sync goes through it in one order, each step given by the one before: `join`, `sync`, `grant`, which returns the
 * whole set of leases. `expire` a few times a second: the hosts it returns are sent their set anew. `leave` when a host
 * is gone, and before the `join` of a new incarnation.
 * A running transfer that nobody here leased (this scheduler is new, or took the plan back too late) is counted as in
 * flight while the child reports it, but is not part of its leases: a child lets running transfers end, and drops what is
 * queued and not in the set.
 */
export class Ledger {
  readonly #state: LedgerState;
  readonly #hosts: LedgerHosts;

  constructor(options: LedgerOptions) {
    this.#state = new LedgerState(options);
    this.#hosts = new LedgerHosts(this.#state, options.onFree ?? (() => {}));
    if (options.geometry !== undefined) this.setGeometry(options.geometry);
  }

  /** Says the length once it is known; pieces known so far stay, those beyond the end are forgotten. */
  setGeometry(geometry: Geometry): void {
    this.#hosts.setGeometry(geometry);
  }

  /** Says whether the origin gives ranges. */
  setRanges(ranges: boolean): void {
    this.#state.ranges = ranges;
  }

  /** Adds a host, or changes how it takes part. */
  join(host: HostId, as: JoinAs): Joined {
    return new Joined(this.#state, this.#hosts, this.#hosts.join(host, as));
  }

  /** Forgets a host: its copies, the leases to it and those from it. */
  leave(host: HostId): void {
    this.#with(host, (member) => this.#hosts.leave(member));
  }

  /** Adds verified pieces to what a host holds. */
  add(host: HostId, pieces: Iterable<number>): void {
    this.#with(host, (member) => this.#hosts.add(member, pieces));
  }

  /** Takes pieces away from what a host holds. */
  remove(host: HostId, pieces: Iterable<number>): void {
    this.#with(host, (member) => this.#hosts.remove(member, pieces));
  }

  /** Takes a piece away from all hosts, because its hash is in doubt. */
  disprove(piece: number): void {
    for (const member of this.#state.members) {
      if (member.have.has(piece)) this.#hosts.remove(member, [piece]);
    }
  }

  /** Nobody is leased the piece from the origin, though none that can be given it is known: it is held, unproven. */
  withhold(piece: number, is: boolean): void {
    const { withheld, holdings } = this.#state;
    if (is === withheld.has(piece) || (is && piece >= holdings.pieces)) return;
    if (is) withheld.add(piece);
    else withheld.delete(piece);
    holdings.fly(piece, is ? 1 : -1);
  }

  /** Lets nobody fetch this task from the host any more; what it holds stays its own. */
  quarantine(host: HostId): void {
    this.#with(host, (member) => this.#hosts.quarantine(member));
  }

  /** A host that gave a wrong piece has hashed it again on its disk: it may give again. */
  pardon(host: HostId): void {
    this.#with(host, (member) => this.#hosts.pardon(member));
  }

  /** A host says nothing any more: what it was leased up to that set is free again. */
  release(host: HostId, seenNumber: number, nowMs: number): void {
    this.#with(host, (member) =>
      reconcile(this.#state, member, { running: [], queued: [], seenNumber, nowMs }),
    );
  }

  /** Takes back plans not begun in time; returns the children whose sets changed. */
  expire(nowMs: number, graceMs = 0): HostId[] {
    this.#state.nowMs = nowMs;
    return [...this.#state.flights.expire(nowMs - graceMs)].map(({ id }) => id);
  }

  /** Hosts that have no lease and could perhaps be given one now, those first that were not looked at for longest. */
  *idleChildren(nowMs: number): Generator<Synced> {
    const { children, flights } = this.#state;
    const { idle } = flights;
    let left = idle.size;
    for (const member of idle) {
      if (left === 0) return;
      left -= 1;
      idle.delete(member);
      // Who has all is not looked at again and again.
      if (!children.has(member)) continue;
      idle.add(member);
      if (couldTake(this.#state, member, nowMs)) yield new Synced(this.#state, member);
    }
  }

  #with(host: HostId, change: (member: Member) => void): void {
    const member = this.#state.members.get(host);
    if (member !== undefined) change(member);
  }

  // --- what it tells ---

  get pieces(): number {
    return this.#state.pieces;
  }

  /** The whole set of a child's leases. */
  leasesOf(host: HostId): readonly Lease[] {
    return leasesOf(this.#state.members.get(host), this.#state.pieces);
  }

  /** How many leases of the origin the host may run at once; those beyond wait. */
  originParallel(host: HostId, nowMs: number): number {
    const member = this.#state.members.get(host);
    return member === undefined ? LIMITS.originLeasesPerHost : this.#state.origin.parallel(member, nowMs);
  }

  /** Whether the host was ever leased the piece from the origin: its word on the hash counts. */
  readOrigin(host: HostId, piece: number): boolean {
    const member = this.#state.members.get(host);
    if (member === undefined) return false;
    return member.read.has(piece) || this.#state.flights.stream?.child === member;
  }

  /** Whether the host is to read the piece from the origin, or does. */
  isReading(host: HostId, piece: number): boolean {
    const flights = this.#state.members.get(host)?.flights ?? [];
    return flights.some((flight) => flight.from === 'origin' && brings(flight, piece));
  }

  /** Whether there is a piece that nobody holds, brings, or may read from the origin. */
  get stuck(): boolean {
    return this.#state.holdings.lost > 0 && !this.#state.origin.hasReaders;
  }

  /** What the host holds, as bits; undefined while the length is unknown, or for a stranger. */
  bits(host: HostId): Bitfield | undefined {
    const member = this.#state.members.get(host);
    if (member === undefined || this.#state.geometry === undefined) return undefined;
    const bits = new Bitfield(this.#state.pieces);
    for (const piece of member.have.values()) bits.add(piece);
    return bits;
  }

  has(host: HostId, piece: number): boolean {
    return this.#state.members.get(host)?.have.has(piece) ?? false;
  }

  /** How many pieces the host holds. */
  held(host: HostId): number {
    return this.#state.members.get(host)?.have.count ?? 0;
  }

  complete(host: HostId): boolean {
    const member = this.#state.members.get(host);
    return member !== undefined && this.#state.isComplete(member);
  }

  /** Whether the host takes part. */
  knows(host: HostId): boolean {
    return this.#state.members.get(host) !== undefined;
  }

  hosts(): IterableIterator<HostId> {
    return this.#state.members.ids();
  }

  /** Whether no host takes part. */
  get isEmpty(): boolean {
    return this.#state.members.size === 0;
  }

  /** How many hosts have no lease. */
  get idleCount(): number {
    return this.#state.flights.idle.size;
  }

  /** Hosts that can give the piece. */
  copies(piece: number): number {
    return this.#state.holdings.copies(piece);
  }

  /** A few hosts that hold something, for a child to know when adrift; at random, at most `max`. */
  parentsFor(host: HostId, max: number): HostId[] {
    return this.#state.members.some(this.#state.random, host, max);
  }

  stats(): LedgerStats {
    const { children, flights, origin, holdings, pieces } = this.#state;
    const members = [...this.#state.members];
    return {
      hosts: members.length,
      children: children.size,
      complete: members.filter((member) => this.#state.isComplete(member)).length,
      pieces,
      leases: members.reduce((sum, member) => sum + member.flights.length, 0),
      originReaders: flights.originReaders,
      originReadersMost: origin.cap.readers,
      originLeased: flights.originLeased,
      originLanded: flights.originLanded,
      originOwed: holdings.lost,
    };
  }
}

/** A host that takes part: it can say what it holds and does, until it leaves. */
export class Joined {
  readonly #state: LedgerState;
  readonly #hosts: LedgerHosts;
  readonly #member: Member;

  constructor(state: LedgerState, hosts: LedgerHosts, member: Member) {
    this.#state = state;
    this.#hosts = hosts;
    this.#member = member;
  }

  /** Replaces what the host is known to hold. @throws Error where it left */
  hold(bits: Bitfield): void {
    this.#hosts.hold(this.#present, bits);
  }

  /**
   * Takes a sync: what it holds, whose leases are thereby done, what failed, and what it runs and has waiting.
   * @throws Error where it left
   */
  sync(report: Report): Synced {
    const { holds, added, failures, nowMs } = report;
    const member = this.#present;
    if (holds !== undefined) this.#hosts.hold(member, holds);
    else if (added !== undefined) this.#hosts.add(member, added);
    for (const failure of failures ?? []) {
      this.#state.nowMs = nowMs;
      this.#hosts.fail(member, failure, nowMs);
    }
    reconcile(this.#state, member, report);
    return new Synced(this.#state, member);
  }

  get #present(): Member {
    if (this.#state.members.at(this.#member.index) !== this.#member) throw new Error('a host that left');
    return this.#member;
  }
}

/** A host whose leases are as it said: it can be given more. */
export class Synced {
  readonly #state: LedgerState;
  readonly #member: Member;

  constructor(state: LedgerState, member: Member) {
    this.#state = state;
    this.#member = member;
  }

  get host(): HostId {
    return this.#member.id;
  }

  /** Whether the host wants the piece, and neither has it nor is being brought it. */
  lacks(piece: number): boolean {
    return this.#state.children.has(this.#member) && wanted(this.#state, this.#member, piece);
  }

  /** Leases the host that piece from the origin, whoever holds it; returns whether it may read now. */
  sample(piece: number, { nowMs, setNumber }: Pick<Demand, 'nowMs' | 'setNumber'>): boolean {
    const { origin, flights, ranges } = this.#state;
    if (!ranges || !this.lacks(piece) || !origin.mayTake(this.#member, 1, nowMs)) return false;
    flights.book(this.#member, 'origin', { first: piece, count: 1, setNumber, nowMs });
    return true;
  }

  /** Adds leases by the policy, under the number of the set about to be sent; returns all that the host has. */
  grant(demand: Demand): readonly Lease[] {
    if (this.#state.children.has(this.#member)) {
      this.#state.nowMs = demand.nowMs;
      grantLeases(this.#state, this.#member, demand);
    }
    return leasesOf(this.#member, this.#state.pieces);
  }
}

function reconcile(state: LedgerState, member: Member, standing: Standing): void {
  state.nowMs = standing.nowMs;
  reconcileFlights(state.flights, state.pieces, member, standing);
}
