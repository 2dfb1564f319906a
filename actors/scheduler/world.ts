import type { HostId, SchedulerId } from '../../core/ids.ts';
import type { SchedulerMetrics } from '../../core/metrics.ts';
import type { OwnUse } from '../../core/own-load.ts';
import type { OriginReads } from '../../scheduling/origin-reads.ts';
import type { SlotTable } from '../../scheduling/slots.ts';
import type { Bus } from '../../transport/bus.ts';
import type { World } from '../world.ts';
import type { TaskHoldings } from './holdings.ts';
import type { HostTable } from './host-table.ts';

/** What a scheduler is given, whatever it owns. */
export interface GroupWorld extends World {
  /** How the heartbeat and the ownership are kept: a connection on which they wait behind nothing; absent: the bus. */
  readonly store?: Pick<Bus, 'state' | 'directory'>;
  readonly schedulerId: SchedulerId;
  /** Names its signing key, which outlives the process. */
  readonly keyId: string;
  /** The machine it runs on, for people. */
  readonly name: string;
  /** Of the program. */
  readonly version: string;
  /** Who is leased the origin of what all may read. */
  readonly originReaders: 'all' | 'seeds';
  readonly metrics: SchedulerMetrics;
  readonly hosts: HostTable;
  readonly slots: SlotTable;
  readonly reads: OriginReads;
  readonly holdings: TaskHoldings;
  readonly mintToken: (hostId: HostId, publicKey: Uint8Array, expiresAtMs: number) => string;
  /** What the process of this scheduler uses; absent where nobody knows. */
  readonly ownUse?: () => OwnUse;
  readonly schedulerKeys: () => { id: string; publicKey: Uint8Array }[];
}

/** What the actors of one partition are given, for as long as it is owned. */
export interface SchedulerWorld extends GroupWorld {
  /** Fences off every owner before. */
  readonly epoch: number;
  /** Monotonic ms from which origin leases are given: the census is over by then. Moves on when NATS comes back. */
  recoveredAtMs: number;
  /** Whether the partition is still owned, so that leases may be given. */
  readonly mayGrant: () => boolean;
  /** Time between two syncs of a host in a task of so many, ms. */
  readonly intervalMs: (peers: number) => number;
}
