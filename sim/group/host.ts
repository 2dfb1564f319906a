import { Membership } from '../../actors/host/membership.ts';
import type { Clock } from '../../core/clock.ts';
import type { MemoryBus } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

/** A host of the model: it asks in each partition, and takes no epoch older than one it has taken. */
export class ModelHost {
  readonly #membership: Membership;
  readonly #servedMs = new Map<number, number>();
  /** The largest epoch ever taken, counted apart. */
  readonly #largest = new Map<number, number>();
  readonly #refused = new Map<number, number>();

  constructor(bus: MemoryBus, clock: Clock) {
    this.#membership = new Membership(clock);
    bus.subscribe(SUBJECTS.census, {}, ({ epoch, partitions }) => {
      for (const partition of partitions) this.#takes(partition, epoch);
    });
  }

  /** The epoch that it says back in its next question. */
  refusedEpoch(partition: number): number | undefined {
    return this.#refused.get(partition);
  }

  servedMs(partition: number): number {
    return this.#servedMs.get(partition) ?? 0;
  }

  /** Takes an answer, or refuses it. @throws where an older epoch was taken after a newer one */
  answered(partition: number, epoch: number, nowMs: number): void {
    if (this.#takes(partition, epoch)) {
      this.#refused.delete(partition);
      this.#servedMs.set(partition, nowMs);
    } else this.#refused.set(partition, this.#membership.epoch(partition));
  }

  #takes(partition: number, epoch: number): boolean {
    const isTaken = this.#membership.acceptEpoch(partition, epoch);
    const largest = this.#largest.get(partition) ?? 0;
    if (isTaken && epoch < largest) throw new Error(`a host took epoch ${epoch} after ${largest}`);
    if (isTaken) this.#largest.set(partition, epoch);
    return isTaken;
  }
}
