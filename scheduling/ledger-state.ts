import type { Random } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';
import type { Geometry } from '../core/piece.ts';
import { Flights } from './flights.ts';
import { Holdings } from './holdings.ts';
import type { LedgerOptions } from './ledger-types.ts';
import { Load } from './load.ts';
import type { Member } from './member.ts';
import { Members } from './members.ts';
import { OriginLeases } from './origin.ts';
import { Pace } from './pace.ts';
import type { SlotTable } from './slots.ts';

/** The tables of one task, which the policy reads and the parts of a ledger write. */
export class LedgerState {
  readonly slots: SlotTable;
  readonly random: Random;
  readonly members = new Members();
  /** Members that lack pieces and want them. */
  readonly children = new Set<Member>();
  readonly holdings: Holdings;
  readonly load = new Load();
  readonly flights: Flights;
  readonly pace: Pace;
  readonly origin: OriginLeases;
  /** Members that nobody is sent to for a moment. */
  readonly suspended = new Set<Member>();
  /** Pieces that readers starve for and only the origin has. */
  readonly starving = new Set<number>();
  /** Pieces that somebody holds whose hash is not proven yet: counted as on their way, so that nobody reads them again. */
  readonly withheld = new Set<number>();
  /** Undefined while the length is unknown. */
  geometry: Geometry | undefined;
  /** Whether the origin gives ranges. */
  ranges: boolean;
  /** When a host said something last. */
  nowMs = 0;

  constructor({ random, slots, reads, ranges, originReaders }: LedgerOptions) {
    this.slots = slots;
    this.random = random;
    this.ranges = ranges;
    this.holdings = new Holdings(random);
    this.pace = new Pace(this.holdings);
    this.flights = new Flights(slots, this.holdings, reads);
    this.origin = new OriginLeases(this.flights, this.pace, reads, originReaders);
  }

  get pieces(): number {
    return this.holdings.pieces;
  }

  /** Piece length, 0 while unknown. */
  get pieceBytes(): number {
    return this.geometry?.pieceLength ?? 0;
  }

  /** Leases that the member may give at once: more than a few make each slow, but each child is to reach every parent. */
  upLimit(member: Member): number {
    return Math.min(this.slots.host(member.id).upLimit, Math.max(LIMITS.slotsUpFew, this.children.size));
  }

  /** How many tasks a host fetches. */
  tasks(member: Member): number {
    return this.slots.host(member.id).tasks;
  }

  isComplete(member: Member): boolean {
    return this.geometry !== undefined && member.have.count >= this.pieces;
  }
}
