import { Bitfield } from '../core/bitfield.ts';
import type { Random } from '../core/clock.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Geometry } from '../core/piece.ts';
import type { Lease } from '../core/sync-messages.ts';
import { Flights } from './flights.ts';
import type { Books } from './grants.ts';
import { Holdings } from './holdings.ts';
import { leasesOf } from './lease-runs.ts';
import type { LedgerOptions, LedgerStats } from './ledger-types.ts';
import { Load } from './load.ts';
import type { Member } from './member.ts';
import { Members } from './members.ts';
import { Origin } from './origin.ts';
import { Pace } from './pace.ts';
import type { SlotTable } from './slots.ts';

/** What a ledger keeps, and what it tells of it. */
export abstract class LedgerState {
  protected readonly slots: SlotTable;
  protected readonly random: Random;
  protected readonly members = new Members();
  protected readonly children = new Set<Member>();
  protected readonly holdings: Holdings;
  protected readonly load = new Load();
  protected readonly flights: Flights;
  protected readonly pace = new Pace(() => this.pieces);
  protected readonly origin: Origin;
  protected readonly books: Books;
  protected known: Geometry | undefined;
  protected ranges: boolean;

  constructor(options: LedgerOptions) {
    this.slots = options.slots;
    this.random = options.random;
    this.ranges = options.ranges;
    this.holdings = new Holdings(options.random);
    this.flights = new Flights(options.slots, this.holdings, options.reads);
    this.origin = new Origin(this.flights, this.pace, options.reads, options.originReaders);
    this.books = {
      random: options.random,
      holdings: this.holdings,
      load: this.load,
      flights: this.flights,
      origin: this.origin,
      zones: this.members.zones,
      suspended: new Set(),
      starving: new Set(),
      member: (index) => this.members.at(index),
      upLimit: (member) => this.upLimit(member),
      tasks: (member) => this.slots.host(member.id).tasks,
      children: () => this.children.size,
      pieceBytes: () => this.known?.pieceLength ?? 0,
      ranges: () => this.ranges,
      known: () => this.known !== undefined,
    };
  }

  get pieces(): number {
    return this.holdings.pieces;
  }

  /** Leases that the member may give at once: more than a few make each slow, but each child is to reach every parent. */
  protected upLimit(member: Member): number {
    return Math.min(this.slots.host(member.id).upLimit, Math.max(LIMITS.slotsUpFew, this.children.size));
  }

  get geometry(): Geometry | undefined {
    return this.known;
  }

  /** The whole set of a child's leases. */
  leasesOf(host: HostId): readonly Lease[] {
    return leasesOf(this.members.get(host), this.pieces);
  }

  /** How many leases of the origin the host may run at once; those beyond wait. */
  originParallel(host: HostId, nowMs: number): number {
    const member = this.members.get(host);
    return member === undefined ? LIMITS.originLeasesPerHost : this.origin.parallel(member, nowMs);
  }

  /** Whether the host was ever leased the piece from the origin: its word on the hash counts. */
  readOrigin(host: HostId, piece: number): boolean {
    return this.members.get(host)?.read.has(piece) ?? false;
  }

  /** Whether there is a piece that nobody holds, brings, or may read from the origin. */
  get stuck(): boolean {
    return this.holdings.lost > 0 && !this.origin.hasReaders;
  }

  /** What the host holds, as bits; undefined while the length is unknown, or for a stranger. */
  bits(host: HostId): Bitfield | undefined {
    const member = this.members.get(host);
    if (member === undefined || this.known === undefined) return undefined;
    const bits = new Bitfield(this.pieces);
    for (const piece of member.have.values()) bits.add(piece);
    return bits;
  }

  has(host: HostId, piece: number): boolean {
    return this.members.get(host)?.have.has(piece) ?? false;
  }

  /** How many pieces the host holds. */
  held(host: HostId): number {
    return this.members.get(host)?.have.count ?? 0;
  }

  complete(host: HostId): boolean {
    const member = this.members.get(host);
    return member !== undefined && this.isComplete(member);
  }

  hosts(): IterableIterator<HostId> {
    return this.members.ids();
  }

  /** How many hosts have no lease. */
  get idleCount(): number {
    return this.flights.idle.size;
  }

  /** Hosts that can give the piece. */
  copies(piece: number): number {
    return this.holdings.copies(piece);
  }

  /** A few hosts that hold something, for a child to know when adrift; at random, at most `max`. */
  parentsFor(host: HostId, max: number): HostId[] {
    return this.members.some(this.random, host, max);
  }

  stats(): LedgerStats {
    const members = [...this.members];
    return {
      hosts: members.length,
      children: this.children.size,
      complete: members.filter((member) => this.isComplete(member)).length,
      pieces: this.pieces,
      leases: members.reduce((sum, { flights }) => sum + flights.length, 0),
      originReaders: this.flights.originReaders,
      originReadersMost: this.origin.cap.readers,
      originLeased: this.flights.originLeased,
      originLanded: this.flights.originLanded,
      originOwed: this.holdings.lost,
    };
  }

  protected isComplete(member: Member): boolean {
    return this.known !== undefined && member.have.count >= this.pieces;
  }
}
