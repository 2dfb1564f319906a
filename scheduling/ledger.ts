import type { Bitfield } from '../core/bitfield.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type Geometry, pieceCount } from '../core/piece.ts';
import { blame } from './avoidance.ts';
import { couldTake, type Demand, grantLeases } from './grants.ts';
import { LedgerState } from './ledger-state.ts';
import type { Failed, JoinAs, LedgerOptions, Standing } from './ledger-types.ts';
import { type Flight, type Member, piecesOf } from './member.ts';
import { reconcileFlights } from './reconcile.ts';

/**
 * What the scheduler knows of one task: who holds which piece, who is fetching which from whom; and the policy.
 *
 * The caller drives it so. `join` at a host's first sync. For each sync, in this order: `setHave` or `add` (pieces the
 * host holds; their leases are thereby done), `fail` for each failure, `reconcile`, then `grant` under the number of the
 * set about to be sent, and `leasesOf` for the whole set. `expire` a few times a second: the hosts it returns are sent
 * their set anew; so are those of `idleChildren` after a `grant` that gave them something. `leave` when a host is gone,
 * and before the `join` of a new incarnation.
 * A running transfer that nobody here leased (this scheduler is new, or took the plan back too late) is counted as in
 * flight while the child reports it, but is not part of `leasesOf`: a child lets running transfers end, and drops what is
 * queued and not in the set.
 */
export class Ledger extends LedgerState {
  readonly #unwatch = new Map<Member, () => void>();
  readonly #onFree: () => void;
  #nowMs = 0;

  constructor(options: LedgerOptions) {
    super(options);
    this.#onFree = options.onFree ?? (() => {});
    if (options.geometry !== undefined) this.setGeometry(options.geometry);
  }

  /** Says the length once it is known; pieces known so far stay, those beyond the end are forgotten. */
  setGeometry(geometry: Geometry): void {
    this.known = geometry;
    const pieces = pieceCount(geometry);
    for (const member of this.members) {
      for (const flight of member.flights.slice()) {
        for (const piece of piecesOf(flight)) if (piece >= pieces) this.flights.free(flight, piece);
      }
      for (const piece of member.have.values()) if (piece >= pieces) this.#drop(member, piece);
    }
    this.holdings.shrink(pieces);
    this.holdings.grow(pieces);
    for (const member of this.members) this.#judge(member);
  }

  /** Says whether the origin gives ranges. */
  setRanges(ranges: boolean): void {
    this.ranges = ranges;
  }

  /** Adds a host, or changes how it takes part. */
  join(host: HostId, as: JoinAs): void {
    let member = this.members.get(host);
    if (member === undefined) {
      const joined = this.members.add(host, as);
      this.holdings.growHosts(joined.index + 1);
      this.load.grow(joined.index + 1);
      if (this.children.size > 0) this.#watch(joined);
      this.flights.idle.add(joined);
      member = joined;
    }
    this.members.update(member, as);
    this.#judge(member);
  }

  /** Forgets a host: its copies, the leases to it and those from it. */
  leave(host: HostId): void {
    const member = this.members.get(host);
    if (member === undefined) return;
    for (const flight of member.flights.slice()) this.flights.end(flight);
    for (const piece of member.have.values()) this.#drop(member, piece);
    this.#endFrom(member);
    for (const other of this.members) {
      other.avoided.delete(member);
      other.accusers.delete(member);
    }
    this.origin.candidate(member, false);
    this.#setChild(member, false);
    this.#endWatch(member);
    this.load.set(member.index, undefined);
    this.flights.idle.delete(member);
    this.books.suspended.delete(member);
    this.members.delete(member);
  }

  /** Replaces what the host is known to hold. */
  setHave(host: HostId, bits: Bitfield): void {
    const member = this.members.get(host);
    if (member === undefined) return;
    for (const piece of member.have.values()) if (!bits.has(piece)) this.#drop(member, piece);
    this.add(host, bits.ones());
  }

  /** Adds verified pieces to what the host holds. */
  add(host: HostId, pieces: Iterable<number>): void {
    const member = this.members.get(host);
    if (member === undefined) return;
    const landedBefore = this.flights.originLanded;
    for (const piece of pieces) {
      if (!Number.isInteger(piece) || piece < 0 || piece >= LIMITS.piecesPerTask) continue;
      if (piece >= this.pieces) {
        if (this.known !== undefined) continue;
        this.holdings.grow(piece + 1);
      }
      if (!member.have.add(piece)) continue;
      this.pace.changed(member, 1);
      const expected = this.flights.landed(member, piece, this.#nowMs);
      if (member.quarantined) {
        if (expected) this.holdings.fly(piece, -1);
      } else if (expected) this.holdings.land(member, piece);
      else this.holdings.serve(member, piece);
    }
    const landed = this.flights.originLanded - landedBefore;
    if (landed > 0) this.origin.cap.landed(landed, this.origin.crowded, this.#nowMs);
    this.#judge(member);
  }

  /** Takes pieces away from what the host holds. */
  remove(host: HostId, pieces: Iterable<number>): void {
    const member = this.members.get(host);
    if (member === undefined) return;
    for (const piece of pieces) this.#drop(member, piece);
    this.#judge(member);
  }

  /** Takes a piece away from all hosts, because its hash is in doubt; returns those that held it. */
  disprove(piece: number): HostId[] {
    const holders = [...this.members].filter((member) => member.have.has(piece));
    for (const { id } of holders) this.remove(id, [piece]);
    return holders.map(({ id }) => id);
  }

  /** Brings the leases of a child in line with its sync, as the design says. */
  reconcile(host: HostId, standing: Standing): void {
    const member = this.members.get(host);
    if (member === undefined) return;
    this.#nowMs = standing.nowMs;
    reconcileFlights(this.flights, this.pieces, member, standing);
  }

  /** Frees what failed, and keeps the child from whom it failed with for a while. */
  fail(host: HostId, { first, count, parent, reason }: Failed, nowMs: number): void {
    const member = this.members.get(host);
    if (member === undefined) return;
    this.#nowMs = nowMs;
    const from = parent === 'origin' ? 'origin' : this.members.get(parent);
    const end = Math.min(first + count, this.pieces);
    const matches = (flight: Flight) => flight.from === from || flight.from === 'unknown';
    if (from !== undefined) {
      for (const flight of member.flights.filter(matches)) {
        if (flight.stream) this.flights.end(flight);
        for (let piece = first; piece < end; piece += 1) this.flights.free(flight, piece);
      }
    }
    if (reason === 'store') member.pausedUntilMs = nowMs + 1_000;
    if (from === undefined) return;
    blame(member, from, reason, nowMs);
    if (from === 'origin') return;
    if (from.suspendedUntilMs > nowMs) this.books.suspended.add(from);
    if (reason === 'corrupt') this.quarantine(from.id);
    if (reason === 'missing') {
      for (let piece = first; piece < end; piece += 1) this.#drop(from, piece);
      this.#judge(from);
    }
  }

  /** Lets nobody fetch this task from the host any more; what it holds stays its own. */
  quarantine(host: HostId): void {
    const member = this.members.get(host);
    if (member === undefined || member.quarantined) return;
    for (const piece of member.have.values()) this.holdings.unserve(member, piece);
    member.quarantined = true;
    this.#loaded(member);
    this.#endFrom(member);
  }

  /** Adds leases by the policy, under the number of the set about to be sent. */
  grant(host: HostId, demand: Demand): void {
    const member = this.members.get(host);
    if (member === undefined || !this.children.has(member)) return;
    this.#nowMs = demand.nowMs;
    grantLeases(this.books, member, demand);
  }

  /** Takes back plans not begun in time; returns the children whose sets changed. */
  expire(nowMs: number): HostId[] {
    this.#nowMs = nowMs;
    return [...this.flights.expire(nowMs)].map(({ id }) => id);
  }

  /** Hosts that have no lease and could perhaps be given one now, those first that were not looked at for longest. */
  *idleChildren(nowMs: number): Generator<HostId> {
    const { idle } = this.flights;
    let left = idle.size;
    for (const member of idle) {
      if (left === 0) return;
      left -= 1;
      idle.delete(member);
      idle.add(member);
      if (this.children.has(member) && couldTake(this.books, member, nowMs)) yield member.id;
    }
  }

  /** Ends every lease from that parent. */
  #endFrom(parent: Member): void {
    for (const child of this.members) {
      for (const flight of child.flights.slice()) if (flight.from === parent) this.flights.end(flight);
    }
  }

  /** Settles whether the member is a child, and whether it can read the origin. */
  #judge(member: Member): void {
    const child = member.wants && !this.isComplete(member);
    this.#setChild(member, child);
    this.#loaded(member);
    this.origin.candidate(member, child && member.mayReadOrigin);
    const { stream } = this.flights;
    if (!child && stream?.child === member) this.flights.end(stream);
  }

  #setChild(member: Member, is: boolean): void {
    this.pace.child(member, is);
    if (this.children.has(member) === is) return;
    this.slots.fetches(member.id, is ? 1 : -1);
    if (is) {
      this.children.add(member);
      if (this.children.size === 1) for (const other of this.members) this.#watch(other);
    } else {
      this.children.delete(member);
      if (this.children.size === 0) for (const other of this.members) this.#endWatch(other);
    }
  }

  /** Follows what the member may give; a task that nobody fetches does not, for hosts are in many of those. */
  #watch(member: Member): void {
    this.#unwatch.set(
      member,
      this.slots.watch(member.id, () => this.#loaded(member)),
    );
    this.#loaded(member);
  }

  #endWatch(member: Member): void {
    this.#unwatch.get(member)?.();
    this.#unwatch.delete(member);
  }

  #loaded(member: Member): void {
    const { upUsed } = this.slots.host(member.id);
    const upLimit = this.upLimit(member);
    const used = upUsed + this.pace.withheld(member, upLimit);
    const { freeHosts } = this.load;
    this.load.set(member.index, member.quarantined || used >= upLimit ? undefined : used);
    if (this.load.freeHosts > freeHosts) this.#onFree();
  }

  #drop(member: Member, piece: number): void {
    if (!member.have.delete(piece)) return;
    this.pace.changed(member, -1);
    if (!member.quarantined) this.holdings.unserve(member, piece);
  }
}
