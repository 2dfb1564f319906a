import { LIMITS } from '../../core/limits.ts';
import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { TaskHoldings } from './holdings.ts';
import { HostTable } from './host-table.ts';
import { SchedulerActor } from './scheduler.ts';
import type { SchedulerWorld } from './world.ts';

/** What is handed in to make a scheduler of: all but its own tables, which begin empty. */
export type SchedulerParts = Omit<SchedulerWorld, 'hosts' | 'slots' | 'reads' | 'holdings' | 'recoveredAtMs'>;

/** Puts a scheduler together: the daemon's and the simulated one alike. Origin leases wait for the end of its census. */
export function composeScheduler(parts: SchedulerParts): SchedulerActor {
  return new SchedulerActor({
    ...parts,
    hosts: new HostTable(),
    slots: new SlotTable(),
    reads: new OriginReads(),
    holdings: new TaskHoldings(),
    recoveredAtMs: parts.clock.now() + LIMITS.censusMs,
  });
}
