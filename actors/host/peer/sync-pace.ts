import { LIMITS } from '../../../core/limits.ts';

/**
 * When a peer is to sync: at once; at the interval that its scheduler asks for, however many tasks the host has; in half
 * the host's own interval, after it, later as it has nothing to tell, or only to be heard.
 */
export type SyncWhen = 'now' | 'news' | 'soon' | 'later' | 'rest' | 'quiet';

/**
 * How often each peer of a host syncs: the more tasks it works on, the less often for each, since none needs the
 * whole link. Without this, a host that pulls forty small layers spends its CPU on talk.
 */
export class SyncPace {
  readonly #working = new Set<object>();

  /** Says whether a peer still fetches. */
  works(peer: object, is: boolean): void {
    if (is) this.#working.add(peer);
    else this.#working.delete(peer);
  }

  /** Time between two syncs of one peer, of which its scheduler asks `intervalMs`. */
  gapMs(intervalMs: number): number {
    const shareMs = Math.min(LIMITS.syncSharedMaxMs, LIMITS.syncPerTaskMs * this.#working.size);
    return Math.max(intervalMs, shareMs);
  }

  /** The same where it has nothing to tell. */
  restMs(intervalMs: number): number {
    const shareMs = Math.min(LIMITS.syncRestMaxMs, LIMITS.syncRestPerTaskMs * this.#working.size);
    return Math.max(this.gapMs(intervalMs), shareMs);
  }
}
