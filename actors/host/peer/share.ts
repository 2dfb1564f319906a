import { createCounter } from '../../../core/counter.ts';
import type { Delivery } from '../../../core/delivery.ts';
import type { TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { LinkRate } from '../../../core/link-rate.ts';
import { OwnLoad, type OwnUse } from '../../../core/own-load.ts';
import { RecentMap } from '../../../core/recent-map.ts';
import { SlotPool } from '../slot-pool.ts';
import { ReceivedCount } from './received.ts';
import { SyncPace } from './sync-pace.ts';

/** Downloads that a host remembers when they are over. */
const DELIVERIES = 256;

/** What the peers of one host share. */
export class PeerShare {
  readonly pool = new SlotPool(LIMITS.slotsDown);
  readonly pace = new SyncPace();
  /** Bytes received since the start, of whatever task. */
  readonly received = new ReceivedCount();
  readonly link = new LinkRate();
  readonly load: OwnLoad;
  /** How the tasks came here that were fetched last. */
  readonly deliveries = new RecentMap<TaskId, Delivery>(DELIVERIES);
  /** Numbers of syncs. */
  readonly nextSeq = createCounter();

  constructor(ownUse?: () => OwnUse) {
    this.load = new OwnLoad(ownUse);
  }
}
