import type { HostRole } from '../../core/host.ts';
import type { HostId } from '../../core/ids.ts';
import type { HostMetrics } from '../../core/metrics.ts';
import type { OwnUse } from '../../core/own-load.ts';
import type { DataPlane } from '../../dataplane/data-plane.ts';
import type { Origin } from '../../origins/origin.ts';
import type { Store } from '../../storage/store.ts';
import type { World } from '../world.ts';

/** What the actors of a host are given. */
export interface HostWorld extends World {
  readonly hostId: HostId;
  /** Random at each start of the daemon. */
  readonly incarnation: number;
  readonly role: HostRole;
  readonly store: Store;
  readonly dataPlane: DataPlane;
  readonly origin: Origin;
  readonly metrics: HostMetrics;
  /** What the process of this host uses; absent where nobody knows. */
  readonly ownUse?: () => OwnUse;
  /** Whether hosts that are not seeds may read origins on behalf of the swarm. */
  readonly originReaders: 'all' | 'seeds';
  /** Without progress for this long a download goes to the origin, whatever its scheduler answers, ms. */
  readonly starvedAfterMs: number;
  /** Whether there is a swarm at all; without one every download goes straight to the origin. */
  readonly alone: boolean;
  /** Nobody on the way to NATS can listen: headers of jobs may be lent to this host. */
  readonly isPrivate?: boolean;
}
