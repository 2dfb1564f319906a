import type { SchedulerId } from '../../../core/ids.ts';
import { rendezvous } from '../../../core/rendezvous.ts';

/** To which of the living schedulers each partition falls. */
export class Heirs {
  readonly #partitions: number;
  #living = '';
  #heirs: readonly (SchedulerId | undefined)[] = [];

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Shares out anew, where others live than before. */
  shareOut(living: readonly SchedulerId[]): void {
    const names = [...living].sort().join();
    if (names === this.#living) return;
    this.#living = names;
    this.#heirs = Array.from({ length: this.#partitions }, (_, partition) =>
      rendezvous(`partition-${partition}`, living),
    );
  }

  /** Undefined where nobody is there. */
  of(partition: number): SchedulerId | undefined {
    return this.#heirs[partition];
  }
}
