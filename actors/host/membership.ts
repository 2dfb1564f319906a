import type { HostAddress } from '../../core/host.ts';
import type { HostId } from '../../core/ids.ts';

/**
 * What this host knows of its swarm and keeps through isolation: hosts to ask when adrift, and the largest epoch
 * accepted in each partition, which fences off a former owner.
 */
export class Membership {
  readonly #epochs = new Map<number, number>();
  #book = new Map<HostId, HostAddress>();

  /** Whether a word of this epoch may be believed; remembers it if so. */
  acceptEpoch(partition: number, epoch: number): boolean {
    if (epoch < (this.#epochs.get(partition) ?? 0)) return false;
    this.#epochs.set(partition, epoch);
    return true;
  }

  epoch(partition: number): number {
    return this.#epochs.get(partition) ?? 0;
  }

  /** Replaces the address book by what a scheduler says. */
  know(hosts: readonly HostAddress[]): void {
    this.#book = new Map(hosts.map((host) => [host.hostId, host]));
  }

  get addressBook(): readonly HostAddress[] {
    return [...this.#book.values()];
  }
}
