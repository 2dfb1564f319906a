import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { TaskHoldings } from './holdings.ts';
import { HostTable } from './host-table.ts';
import { SchedulerActor } from './scheduler.ts';
import type { GroupWorld } from './world.ts';

/** What is handed in to make a scheduler of: all but its own tables, which begin empty. */
export type SchedulerParts = Omit<GroupWorld, 'hosts' | 'slots' | 'reads' | 'holdings'>;

/** Puts a scheduler together: the daemon's and the simulated one alike. */
export function composeScheduler(parts: SchedulerParts): SchedulerActor {
  return new SchedulerActor({
    ...parts,
    hosts: new HostTable(),
    slots: new SlotTable(),
    reads: new OriginReads(),
    holdings: new TaskHoldings(),
  });
}
