import type { Bitfield } from '../core/bitfield.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type Geometry, pieceCount } from '../core/piece.ts';
import { blame } from './avoidance.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Failed, JoinAs } from './ledger-types.ts';
import { brings, type Flight, type Member, piecesOf } from './member.ts';

/** A host that gave a wrong piece has this long to hash it again. */
const RECHECK_MS = 2_000;

/** The hosts of a task as they come, gain and lose pieces, fail each other, and go: keeps all tables in step. */
export class LedgerHosts {
  readonly #state: LedgerState;
  readonly #onFree: () => void;
  readonly #unwatch = new Map<Member, () => void>();

  /** @param onFree called when a holder had no free slot, and has one now */
  constructor(state: LedgerState, onFree: () => void) {
    this.#state = state;
    this.#onFree = onFree;
  }

  /** Adds a host, or changes how it takes part. */
  join(host: HostId, as: JoinAs): Member {
    const { members, holdings, load, children } = this.#state;
    let member = members.get(host);
    if (member === undefined) {
      member = members.add(host, as);
      holdings.growHosts(member.index + 1);
      load.grow(member.index + 1);
      if (children.size > 0) this.#watch(member);
    }
    members.update(member, as);
    this.#judge(member);
    return member;
  }

  /** Forgets a host: its copies, the leases to it and those from it. */
  leave(member: Member): void {
    const { members, load, flights, origin, suspended } = this.#state;
    for (const flight of member.flights.slice()) flights.end(flight);
    for (const piece of member.have.values()) this.#drop(member, piece);
    this.#endFrom(member);
    for (const other of members) {
      other.avoided.delete(member);
      other.accusers.delete(member);
    }
    origin.candidate(member, false);
    this.#setChild(member, false);
    this.#endWatch(member);
    load.set(member.index, undefined);
    flights.idle.delete(member);
    suspended.delete(member);
    members.delete(member);
  }

  /** Takes the length once it is known; pieces known so far stay, those beyond the end are forgotten. */
  setGeometry(geometry: Geometry): void {
    const { members, flights, holdings, withheld } = this.#state;
    this.#state.geometry = geometry;
    const pieces = pieceCount(geometry);
    for (const piece of withheld) {
      if (piece < pieces || !withheld.delete(piece)) continue;
      holdings.fly(piece, -1);
    }
    for (const member of members) {
      for (const flight of member.flights.slice()) {
        for (const piece of piecesOf(flight)) if (piece >= pieces) flights.free(flight, piece);
      }
      for (const piece of member.have.values()) if (piece >= pieces) this.#drop(member, piece);
    }
    holdings.shrink(pieces);
    holdings.grow(pieces);
    for (const member of members) this.#judge(member);
  }

  /** Replaces what the member is known to hold. */
  hold(member: Member, bits: Bitfield): void {
    for (const piece of member.have.values()) if (!bits.has(piece)) this.#drop(member, piece);
    this.add(member, bits.ones());
  }

  /** Adds verified pieces to what the member holds. */
  add(member: Member, pieces: Iterable<number>): void {
    const { holdings, flights, origin, pace, geometry, nowMs } = this.#state;
    const landedBefore = flights.originLanded;
    for (const piece of pieces) {
      if (!Number.isInteger(piece) || piece < 0 || piece >= LIMITS.piecesPerTask) continue;
      if (piece >= holdings.pieces) {
        if (geometry !== undefined) continue;
        holdings.grow(piece + 1);
      }
      if (!member.have.add(piece)) continue;
      pace.changed(member, 1);
      const expected = flights.landed(member, piece, nowMs);
      if (member.quarantined) {
        if (expected) holdings.fly(piece, -1);
      } else if (expected) holdings.land(member, piece);
      else holdings.serve(member, piece);
    }
    const landed = flights.originLanded - landedBefore;
    if (landed > 0) origin.cap.landed(landed, origin.crowded, nowMs);
    this.#judge(member);
  }

  /** Takes pieces away from what the member holds. */
  remove(member: Member, pieces: Iterable<number>): void {
    for (const piece of pieces) this.#drop(member, piece);
    this.#judge(member);
  }

  /** Frees what failed, and keeps the child from whom it failed with for a while. */
  fail(member: Member, { first, count, parent, reason }: Failed, nowMs: number): void {
    const { members, flights, suspended, pieces } = this.#state;
    const from = parent === 'origin' ? 'origin' : members.get(parent);
    const end = Math.min(first + count, pieces);
    const matches = (flight: Flight) => flight.from === from || flight.from === 'unknown';
    const wasLeased = member.flights.some(
      (flight) => flight.from === from && (flight.stream || brings(flight, first)),
    );
    if (from !== undefined) {
      for (const flight of member.flights.filter(matches)) {
        if (flight.stream) flights.end(flight);
        for (let piece = first; piece < end; piece += 1) flights.free(flight, piece);
      }
    }
    if (reason === 'store') member.pausedUntilMs = nowMs + 1_000;
    if (from === undefined) return;
    blame(member, from, reason, nowMs);
    if (from === 'origin') return;
    if (from.suspendedUntilMs > nowMs) suspended.add(from);
    if (reason === 'corrupt') this.#warn(from, wasLeased, nowMs);
    if (reason === 'missing' || reason === 'corrupt') {
      for (let piece = first; piece < end; piece += 1) this.#drop(from, piece);
      this.#judge(from);
    }
  }

  /** Lets nobody fetch this task from the member any more, nor wait for what it is to read; what it holds stays its own. */
  quarantine(member: Member): void {
    if (member.quarantined) return;
    for (const flight of member.flights.slice()) {
      if (flight.from === 'origin' && flight.begunMs === undefined) this.#state.flights.end(flight);
    }
    for (const piece of member.have.values()) this.#state.holdings.unserve(member, piece);
    member.quarantined = true;
    this.#loaded(member);
    this.#endFrom(member);
  }

  /**
   * The member gave a wrong piece. A disk that damaged one is no liar: nobody is sent there until it has hashed again
   * what it gave, for a while; what comes wrong after that was not the disk. Its leases ended with the warning: a report
   * of a piece that is not leased now is of a transfer that began before.
   */
  #warn(member: Member, wasLeased: boolean, nowMs: number): void {
    if (!member.warned) {
      member.warned = true;
      member.suspendedUntilMs = nowMs + RECHECK_MS;
      this.#state.suspended.add(member);
      this.#endFrom(member);
    } else if (wasLeased && member.suspendedUntilMs <= nowMs) this.quarantine(member);
  }

  /** The member has hashed again what it gave wrong. */
  pardon(member: Member): void {
    if (member.warned) member.suspendedUntilMs = 0;
  }

  /** Ends every lease from that parent. */
  #endFrom(parent: Member): void {
    const { members, flights } = this.#state;
    for (const child of members) {
      for (const flight of child.flights.slice()) if (flight.from === parent) flights.end(flight);
    }
  }

  /** Settles whether the member is a child, and whether it can read the origin. */
  #judge(member: Member): void {
    const { flights, origin } = this.#state;
    const child = member.wants && !this.#state.isComplete(member);
    this.#setChild(member, child);
    this.#loaded(member);
    origin.candidate(member, child && member.mayReadOrigin);
    const { stream } = flights;
    if (!child && stream?.child === member) flights.end(stream);
  }

  #setChild(member: Member, is: boolean): void {
    const { pace, children, slots, members, flights } = this.#state;
    pace.child(member, is);
    if (children.has(member) === is) return;
    slots.fetches(member.id, is ? 1 : -1);
    if (is) {
      children.add(member);
      if (member.flights.length === 0) flights.idle.add(member);
      if (children.size === 1) for (const other of members) this.#watch(other);
    } else {
      children.delete(member);
      if (children.size === 0) for (const other of members) this.#endWatch(other);
    }
  }

  /** Follows what the member may give; a task that nobody fetches does not, for hosts are in many of those. */
  #watch(member: Member): void {
    this.#unwatch.set(
      member,
      this.#state.slots.watch(member.id, () => this.#loaded(member)),
    );
    this.#loaded(member);
  }

  #endWatch(member: Member): void {
    this.#unwatch.get(member)?.();
    this.#unwatch.delete(member);
  }

  #loaded(member: Member): void {
    const { slots, pace, load } = this.#state;
    const { upUsed } = slots.host(member.id);
    const upLimit = this.#state.upLimit(member);
    const used = upUsed + pace.withheld(member, upLimit);
    const { freeHosts } = load;
    load.set(member.index, member.quarantined || used >= upLimit ? undefined : used);
    if (load.freeHosts > freeHosts) this.#onFree();
  }

  #drop(member: Member, piece: number): void {
    const { pace, holdings } = this.#state;
    if (!member.have.delete(piece)) return;
    pace.changed(member, -1);
    if (!member.quarantined) holdings.unserve(member, piece);
  }
}
