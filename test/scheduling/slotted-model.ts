import { Ledger } from '../../scheduling/ledger.ts';
import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { hostId, seeded, shuffled } from './world.ts';

export interface SlottedRun {
  readonly slots: number;
  /** Pieces that the origin (or the seed) gave, over the pieces there are. */
  readonly copies: number;
}

/**
 * Equal links, one piece up and one down a slot, all hosts at once; the source is an origin that gives one piece a
 * slot, or a seed that holds everything.
 */
export function runSlotted(options: {
  readonly hosts: number;
  readonly pieces: number;
  readonly source: 'origin' | 'seed';
  readonly seed: number;
}): SlottedRun {
  const { hosts, pieces, source } = options;
  const random = seeded(options.seed);
  const slots = new SlotTable();
  const geometry = { length: pieces, pieceLength: 1 };
  const reads = new OriginReads().task(() => undefined);
  const ledger = new Ledger({ random, slots, reads, geometry, ranges: true, originReaders: 1 });
  const ids = Array.from({ length: hosts }, (_, index) => hostId(index));
  const seed = hostId(hosts);
  const joined = ids.map((id) => {
    slots.setLimits(id, { up: 1, down: 1 });
    return ledger.join(id, { role: 'normal', mayReadOrigin: source === 'origin' });
  });
  if (source === 'seed') {
    slots.setLimits(seed, { up: 1, down: 1 });
    ledger.join(seed, { role: 'seed', mayReadOrigin: false });
    ledger.add(
      seed,
      Array.from({ length: pieces }, (_, piece) => piece),
    );
  }
  let slot = 0;
  let given = 0;
  while (ids.some((id) => !ledger.complete(id))) {
    slot += 1;
    if (slot > 10 * (pieces + hosts)) throw new Error('no progress');
    for (const host of shuffled(random, joined)) {
      host
        .sync({ running: [], queued: [], seenNumber: slot - 1, nowMs: slot })
        .grant({ nowMs: slot, slots: 1, bytesPerSec: 0, setNumber: slot });
    }
    const moves = ids.map((id) => ({ id, leases: ledger.leasesOf(id) }));
    for (const { id, leases } of moves) {
      for (const { first, parent } of leases) {
        if (parent === 'origin' || parent === seed) given += 1;
        ledger.add(id, [first]);
      }
    }
  }
  return { slots: slot, copies: given / pieces };
}
