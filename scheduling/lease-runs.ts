import { LIMITS } from '../core/limits.ts';
import type { Lease } from '../core/sync-messages.ts';
import type { Flight, Member } from './member.ts';

/** A child's leases as they cross the bus: what is left of each, as runs of adjacent pieces. */
export function leasesOf(child: Member | undefined, pieces: number): Lease[] {
  const leases: Lease[] = [];
  for (const flight of child?.flights ?? []) {
    if (flight.from === 'unknown') continue;
    const parent = flight.from === 'origin' ? flight.from : flight.from.id;
    const mark = flight.hedge ? { parent, hedge: true } : { parent };
    if (flight.stream) leases.push({ first: 0, count: pieces || LIMITS.piecesPerTask, ...mark });
    else for (const [first, count] of runs(flight)) leases.push({ first, count, ...mark });
  }
  return leases;
}

function* runs({ first, mask }: Flight): Generator<[number, number]> {
  let from = -1;
  for (let bit = 0; bit <= 32; bit += 1) {
    const set = bit < 32 && ((mask >>> bit) & 1) === 1;
    if (set && from < 0) from = bit;
    if (!set && from >= 0) {
      yield [first + from, bit - from];
      from = -1;
    }
  }
}
