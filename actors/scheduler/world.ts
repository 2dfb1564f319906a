import type { HostId, SchedulerId } from '../../core/ids.ts';
import type { SchedulerMetrics } from '../../core/metrics.ts';
import type { OriginReads } from '../../scheduling/origin-reads.ts';
import type { SlotTable } from '../../scheduling/slots.ts';
import type { World } from '../world.ts';
import type { TaskHoldings } from './holdings.ts';
import type { HostTable } from './host-table.ts';

/** What the actors of a scheduler are given. */
export interface SchedulerWorld extends World {
  readonly schedulerId: SchedulerId;
  /** Who is leased the origin of what all may read. */
  readonly originReaders: 'all' | 'seeds';
  /** Fences off every scheduler before. */
  readonly epoch: number;
  readonly metrics: SchedulerMetrics;
  readonly hosts: HostTable;
  readonly slots: SlotTable;
  readonly reads: OriginReads;
  readonly holdings: TaskHoldings;
  /** Monotonic ms from which origin leases are given: the census is over by then. Moves on when NATS comes back. */
  recoveredAtMs: number;
  readonly mintToken: (hostId: HostId, publicKey: Uint8Array, expiresAtMs: number) => string;
  readonly schedulerKeys: () => { id: string; publicKey: Uint8Array }[];
}
