import { createCounter } from '../../../core/counter.ts';
import { LIMITS } from '../../../core/limits.ts';
import { SlotPool } from '../slot-pool.ts';
import { ReceivedCount } from './stats.ts';
import { SyncPace } from './sync-pace.ts';

/** What the peers of one host share. */
export class PeerShare {
  readonly pool = new SlotPool(LIMITS.slotsDown);
  readonly pace = new SyncPace();
  /** Bytes received since the start, of whatever task. */
  readonly received = new ReceivedCount();
  /** Numbers of syncs. */
  readonly nextSeq = createCounter();
}
