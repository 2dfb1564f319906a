import type { HostRole } from '../core/host.ts';
import type { HostId } from '../core/ids.ts';
import { Bits } from './bits.ts';

/** One lease as it is booked: up to 32 adjacent pieces on their way to a child. */
export interface Flight {
  readonly child: Member;
  /** `unknown`: a transfer that the child reports and nobody here leased. */
  readonly from: Member | 'origin' | 'unknown';
  readonly first: number;
  /** Bit i: piece first + i is still to come. */
  mask: number;
  /** Whether it is one stream of everything rather than the pieces of the mask. */
  readonly stream: boolean;
  hedge: boolean;
  readonly setNumber: number;
  readonly grantedMs: number;
  /** When the child was first seen to work on it; undefined while it is a plan. */
  begunMs: number | undefined;
  /** When it was granted, begun, or last brought a piece. */
  movedMs: number;
}

/** Why a child does not ask a parent (or the origin) for now. */
export interface Avoided {
  readonly untilMs: number;
  readonly failures: number;
  /** Whether it could not be got at: it did not just refuse, nor give wrong bytes. */
  readonly isOutOfReach: boolean;
}

/** One host's part in one task, as the ledger keeps it. */
export interface Member {
  /** Dense, reused after a leave. */
  readonly index: number;
  readonly id: HostId;
  role: HostRole;
  zone: string | undefined;
  mayReadOrigin: boolean;
  wants: boolean;
  /** Whether it is trusted to serve this task. */
  quarantined: boolean;
  /** It gave a wrong piece, which its disk may have damaged; the next is its last. */
  warned: boolean;
  readonly have: Bits;
  /** Pieces on their way to it. */
  readonly flying: Bits;
  /** Pieces it was ever leased from the origin. */
  readonly read: Bits;
  readonly flights: Flight[];
  originFlights: number;
  /** Number of the last lease set that it has seen. */
  seen: number;
  /** Nothing is leased to it before this time. */
  pausedUntilMs: number;
  /** Since when it has had no lease because others fetch all it could; undefined while it has one. */
  waitingSinceMs: number | undefined;
  /** Whom it does not ask for now. */
  readonly avoided: Map<Member | 'origin', Avoided>;
  /** Who gave it a piece, and when last. */
  readonly givenMs: WeakMap<Member, number>;
  /** Children that could not get at it, and when. */
  readonly accusers: Map<Member, number>;
  /** Nobody is sent to it before this time. */
  suspendedUntilMs: number;
}

/** A member that holds nothing and is owed nothing. */
export function newMember(
  index: number,
  id: HostId,
  as: { readonly role: HostRole; readonly mayReadOrigin: boolean },
): Member {
  return {
    index,
    id,
    role: as.role,
    zone: undefined,
    mayReadOrigin: as.mayReadOrigin,
    wants: true,
    quarantined: false,
    warned: false,
    have: new Bits(),
    flying: new Bits(),
    read: new Bits(),
    flights: [],
    originFlights: 0,
    seen: 0,
    pausedUntilMs: 0,
    waitingSinceMs: undefined,
    avoided: new Map(),
    givenMs: new WeakMap(),
    accusers: new Map(),
    suspendedUntilMs: 0,
  };
}

/** Whether the flight still brings that piece. */
export function brings(flight: Flight, piece: number): boolean {
  const offset = piece - flight.first;
  return !flight.stream && offset >= 0 && offset < 32 && ((flight.mask >>> offset) & 1) === 1;
}

/** The pieces that a flight still brings, ascending. */
export function piecesOf(flight: Flight): number[] {
  const pieces: number[] = [];
  if (flight.stream) return pieces;
  for (let rest = flight.mask; rest !== 0; rest &= rest - 1) {
    pieces.push(flight.first + 31 - Math.clz32(rest & -rest));
  }
  return pieces;
}
