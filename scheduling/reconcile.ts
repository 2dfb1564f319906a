import type { Flights } from './flights.ts';
import type { Standing } from './ledger-types.ts';
import { brings, type Member, piecesOf } from './member.ts';

/**
 * Brings a child's leases in line with what it says: what runs has begun; what it has seen and neither runs nor queues
 * is free again; what it cannot have seen stays; what runs and nobody leased is in flight from an unknown parent.
 */
export function reconcileFlights(flights: Flights, pieces: number, child: Member, standing: Standing): void {
  const { seenNumber, nowMs } = standing;
  const running = new Set(standing.running);
  const known = new Set([...standing.running, ...standing.queued]);
  child.seen = Math.max(child.seen, seenNumber);
  for (const flight of child.flights.slice()) {
    if (flight.stream) continue;
    for (const piece of piecesOf(flight)) {
      if (running.has(piece)) flights.begun(flight, nowMs);
      else if (!known.has(piece) && flight.setNumber <= seenNumber) flights.free(flight, piece);
    }
  }
  const unleased = (piece: number): boolean => !child.flights.some((flight) => brings(flight, piece));
  const { stream } = flights;
  if (stream?.child === child) {
    if ([...known].some(unleased)) flights.begun(stream, nowMs);
    else if (stream.setNumber <= seenNumber) flights.end(stream);
    return;
  }
  for (const piece of running) {
    if (piece >= pieces || child.have.has(piece) || child.flying.has(piece)) continue;
    flights.book(child, 'unknown', { first: piece, count: 1, setNumber: seenNumber, nowMs });
  }
}
