import type { Clock } from '../../../core/clock.ts';
import { ShoalError } from '../../../core/errors.ts';
import type { SchedulerId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Epochs } from './epochs.ts';
import type { OwnershipStore } from './ownership-store.ts';
import type { Presence } from './presence.ts';

/** How partitions are shared out: by the store, by presence alone, or nothing is owned at the moment. */
export type Guide = 'store' | 'presence' | 'none';

interface PartitionClaimsOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly self: SchedulerId;
  readonly store: OwnershipStore;
  readonly presence: Presence;
  readonly epochs: Epochs;
  readonly guide: () => Guide;
}

/** How a scheduler comes to own partitions. */
export class PartitionClaims {
  readonly #options: PartitionClaimsOptions;
  readonly #running = new Set<Promise<number>>();
  /** Looks for owners that may be gone, one for all partitions that one owned. */
  readonly #looks = new Map<SchedulerId, { readonly atMs: number; readonly isGone: Promise<boolean> }>();

  constructor(options: PartitionClaimsOptions) {
    this.#options = options;
  }

  /**
   * The epoch under which a partition is owned from now on. Those that are claimed at the same time are had at the same
   * time: one census names them all.
   * @throws ERR_BUS_CONFLICT where another owns it or was first, ERR_BUS_*
   */
  async claim(partition: number): Promise<number> {
    const claim = this.#claimOne(partition);
    this.#running.add(claim);
    while (this.#running.size > 0) {
      const claims = [...this.#running];
      await Promise.allSettled(claims);
      for (const ended of claims) this.#running.delete(ended);
    }
    return claim;
  }

  /** Whether to try: the owner gives it away, or nobody has heard its heartbeat. */
  mayBeFree(partition: number, owner: SchedulerId): boolean {
    return this.#options.store.view.heartbeat(owner) === undefined || this.#isOffered(partition, owner);
  }

  /** Owners are looked for anew. */
  lookAgain(): void {
    this.#looks.clear();
  }

  async #claimOne(partition: number): Promise<number> {
    const { self, store, presence, epochs, guide } = this.#options;
    const row = store.view.row(partition);
    if (row !== undefined) epochs.see(partition, row.epoch);
    epochs.see(partition, presence.epochOf(partition));
    if (guide() !== 'store') return epochs.next(partition);
    if (row !== undefined && !(await this.#isFree(partition, row.owner))) {
      throw new ShoalError('ERR_BUS_CONFLICT', `${row.owner} owns the partition ${partition}`);
    }
    const epoch = epochs.next(partition);
    // The row that was weighed, not the one of by now.
    await store.claim(partition, { owner: self, epoch }, row?.revision ?? 0);
    return epoch;
  }

  async #isFree(partition: number, owner: SchedulerId): Promise<boolean> {
    const { self, store } = this.#options;
    if (owner === self || this.#isOffered(partition, owner)) return true;
    const nowMs = this.#options.clock.now();
    const known = this.#looks.get(owner);
    // A process that stood still since it looked has seen nothing of what came after.
    if (known !== undefined && nowMs - known.atMs < LIMITS.ownershipMs) return known.isGone;
    const isGone = store.isGone(owner);
    this.#looks.set(owner, { atMs: nowMs, isGone });
    return isGone;
  }

  #isOffered(partition: number, owner: SchedulerId): boolean {
    return this.#options.store.view.heartbeat(owner)?.offers.includes(partition) === true;
  }
}
