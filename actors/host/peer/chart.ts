import type { ShoalError } from '../../../core/errors.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { PeerEvent, PeerState } from '../../../machines/host/peer.ts';

/** What the parts of a peer tell: what its chart decides upon, and what only moves them on. */
export type PeerNews =
  | PeerEvent
  /** The next sync is to come soon. */
  | { readonly type: 'sync.wanted' }
  | { readonly type: 'piece.stored'; readonly run: Run }
  /** Children got these pieces wrong from here. */
  | { readonly type: 'pieces.suspected'; readonly pieces: readonly number[] }
  | {
      readonly type: 'transfer.failed';
      readonly run: Run;
      readonly reason: FailureReason;
      readonly error: ShoalError;
    }
  /** A transfer ended, and its slot is free. */
  | { readonly type: 'transfer.ended'; readonly run: Run; readonly failed: boolean };

/** The chart of a peer as its parts see it. */
export interface PeerChart {
  readonly state: PeerState;
  readonly ended: boolean;
  /** Whether the whole contradicts the digest, and the scheduler is to say what to read again. */
  readonly contradicted: boolean;
  /** Told by a part when something happened. */
  report(news: PeerNews): void;
}
