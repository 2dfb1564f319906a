import { LIMITS } from '../core/limits.ts';
import { absolve } from './avoidance.ts';
import type { Holdings } from './holdings.ts';
import { brings, type Flight, type Member, piecesOf } from './member.ts';
import type { TaskReads } from './origin-reads.ts';
import type { SlotTable } from './slots.ts';

const DURATIONS = 64;

/** What a lease is to be booked as. */
export interface Booking {
  readonly first: number;
  readonly count: number;
  readonly setNumber: number;
  readonly nowMs: number;
  readonly hedge?: boolean;
  readonly stream?: boolean;
}

/** The leases outstanding in a task: books them, ends them, and keeps slots and flights counted. */
export class Flights {
  readonly #slots: SlotTable;
  readonly #holdings: Holdings;
  readonly #reads: TaskReads;
  /** In the order granted; those begun or ended stay until they come to the head. */
  #plans: Flight[] = [];
  #plansHead = 0;
  readonly #durationsMs: number[] = [];
  #durationAt = 0;
  /** The one reader of an origin without ranges. */
  stream: Flight | undefined;
  /** Members with no lease, all those that want one among them. */
  readonly idle = new Set<Member>();
  /** How many hosts have a lease of the origin. */
  originReaders = 0;
  /** Pieces ever leased from the origin, and those of them that came. */
  originLeased = 0;
  originLanded = 0;

  constructor(slots: SlotTable, holdings: Holdings, reads: TaskReads) {
    this.#slots = slots;
    this.#holdings = holdings;
    this.#reads = reads;
  }

  /** Books a lease; pieces already flying to the child are only taken as a hedge. */
  book(child: Member, from: Flight['from'], booking: Booking): Flight {
    const { first, count, nowMs, hedge = false, stream = false } = booking;
    const flight: Flight = {
      child,
      from,
      first,
      mask: stream ? 1 : count >= 32 ? -1 : (1 << count) - 1,
      stream,
      hedge,
      setNumber: booking.setNumber,
      grantedMs: nowMs,
      begunMs: from === 'unknown' ? nowMs : undefined,
      movedMs: nowMs,
    };
    child.flights.push(flight);
    this.idle.delete(child);
    if (stream) this.stream = flight;
    else if (!hedge) {
      for (let piece = first; piece < first + count; piece += 1) {
        child.flying.add(piece);
        this.#holdings.fly(piece, 1);
      }
    }
    if (from === 'origin') {
      if (child.originFlights === 0) this.originReaders += 1;
      child.originFlights += 1;
      if (!stream) this.originLeased += count;
      if (!stream) for (let piece = first; piece < first + count; piece += 1) child.read.add(piece);
    }
    // What nobody leased is the body of a probe, as a rule.
    if (typeof from === 'string') this.#reads.begin(child.id);
    if (from !== 'unknown') {
      this.#slots.take(typeof from === 'string' ? undefined : from.id, child.id);
      if (!stream) this.#plans.push(flight);
    }
    return flight;
  }

  /** The child holds the piece: whatever was to bring it need not; returns whether a lease was to. */
  landed(child: Member, piece: number, nowMs: number): boolean {
    if (this.stream?.child === child) child.read.add(piece);
    if (!child.flying.delete(piece)) return false;
    for (const flight of child.flights.slice()) {
      if (!brings(flight, piece)) continue;
      if (!flight.hedge) {
        this.#duration(nowMs - flight.movedMs);
        if (flight.from === 'origin') this.originLanded += 1;
        if (flight.from !== 'unknown') absolve(child, flight.from);
        if (typeof flight.from !== 'string') child.givenMs.set(flight.from, nowMs);
      }
      flight.movedMs = nowMs;
      flight.begunMs ??= nowMs;
      this.#clear(flight, piece);
    }
    return true;
  }

  /** The child works on the flight. */
  begun(flight: Flight, nowMs: number): void {
    if (flight.begunMs !== undefined) return;
    flight.begunMs = nowMs;
    flight.movedMs = nowMs;
  }

  /** One piece of a lease is free again; a hedge of it, if any, becomes the lease. */
  free(flight: Flight, piece: number): void {
    if (!brings(flight, piece)) return;
    const { child } = flight;
    if (!flight.hedge) {
      const heir = child.flights.find((other) => other !== flight && brings(other, piece));
      if (heir === undefined) {
        child.flying.delete(piece);
        this.#holdings.fly(piece, -1);
      } else heir.hedge = false;
    }
    this.#clear(flight, piece);
  }

  /** All that is left of a lease is free again. */
  end(flight: Flight): void {
    if (flight.stream) {
      flight.mask = 0;
      this.#close(flight);
    } else for (const piece of piecesOf(flight)) this.free(flight, piece);
  }

  /** Takes back plans not begun within LIMITS.leaseBeginMs; returns the children that had them. */
  expire(nowMs: number): Set<Member> {
    const affected = new Set<Member>();
    const waiting: Flight[] = [];
    while (this.#plansHead < this.#plans.length) {
      const flight = this.#plans[this.#plansHead];
      if (flight === undefined || nowMs - flight.grantedMs < LIMITS.leaseBeginMs) break;
      this.#plansHead += 1;
      if (flight.mask === 0 || flight.begunMs !== undefined) continue;
      // The origin's next one waits for the one before it, as long as that brings something.
      if (flight.from === 'origin' && flight.child.flights.some((other) => isReading(other, nowMs)))
        waiting.push(flight);
      else {
        this.end(flight);
        affected.add(flight.child);
      }
    }
    if (waiting.length > 0 || this.#plansHead > 1024) {
      this.#plans = [...waiting, ...this.#plans.slice(this.#plansHead)];
      this.#plansHead = 0;
    }
    return affected;
  }

  /** Median time a piece took of late, in ms; undefined while none came. */
  medianPieceMs(): number | undefined {
    const sorted = this.#durationsMs.slice().sort((left, right) => left - right);
    return sorted[sorted.length >> 1];
  }

  #duration(ms: number): void {
    this.#durationsMs[this.#durationAt] = ms;
    this.#durationAt = (this.#durationAt + 1) % DURATIONS;
  }

  #clear(flight: Flight, piece: number): void {
    flight.mask &= ~(1 << (piece - flight.first));
    if (flight.mask === 0) this.#close(flight);
  }

  #close(flight: Flight): void {
    const { child, from } = flight;
    const at = child.flights.indexOf(flight);
    if (at >= 0) child.flights.splice(at, 1);
    if (child.flights.length === 0) this.idle.add(child);
    if (from === 'origin') {
      child.originFlights -= 1;
      if (child.originFlights === 0) this.originReaders -= 1;
    }
    if (typeof from === 'string') this.#reads.end(child.id);
    if (from !== 'unknown') this.#slots.release(typeof from === 'string' ? undefined : from.id, child.id);
    if (this.stream === flight) this.stream = undefined;
  }
}

/** Whether the origin is read, and a piece came, or the read began, within the time that a plan may wait. */
function isReading({ from, begunMs, movedMs }: Flight, nowMs: number): boolean {
  return from === 'origin' && begunMs !== undefined && nowMs - movedMs < LIMITS.leaseBeginMs;
}
