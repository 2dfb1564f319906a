import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';

/** A host's slots: leases outstanding from it and to it in all tasks of this scheduler, and the most there may be. */
export interface SlotRow {
  readonly id: HostId;
  readonly upUsed: number;
  readonly downUsed: number;
  readonly upLimit: number;
  readonly downLimit: number;
  /** Tasks that it fetches. */
  readonly tasks: number;
}

/**
 * How many of a host's upload slots one of so many schedulers may lease: what the others leave, as far as the host says how
 * many it has in use, and an even part at least.
 */
export function upShare(
  host: { readonly slotsUp: number; readonly uploading: number },
  leasedHere: number,
  schedulers: number,
): number {
  if (schedulers <= 1) return host.slotsUp;
  const byOthers = Math.max(0, host.uploading - leasedHere);
  return Math.max(Math.ceil(host.slotsUp / schedulers), host.slotsUp - byOthers);
}

interface Row extends SlotRow {
  tasks: number;
  upUsed: number;
  downUsed: number;
  upLimit: number;
  downLimit: number;
  readonly watchers: Set<() => void>;
}

/** Slots belong to the host, not to the task: one table a scheduler, shared by the ledgers of its tasks. */
export class SlotTable {
  readonly #rows = new Map<HostId, Row>();

  /** The host's row, made with the default limits where there is none. */
  host(id: HostId): SlotRow {
    return this.#row(id);
  }

  /** Sets this scheduler's share of a host's slots; leases already given are not taken back. */
  setLimits(id: HostId, limits: { readonly up: number; readonly down: number }): void {
    const row = this.#row(id);
    if (row.upLimit === limits.up && row.downLimit === limits.down) return;
    row.upLimit = limits.up;
    row.downLimit = limits.down;
    tell(row);
  }

  /** Leases outstanding from the host. */
  upUsed(id: HostId): number {
    return this.#rows.get(id)?.upUsed ?? 0;
  }

  /** Leases outstanding to the host. */
  downUsed(id: HostId): number {
    return this.#rows.get(id)?.downUsed ?? 0;
  }

  /** Books one lease; `from` is undefined where the parent is no host. */
  take(from: HostId | undefined, to: HostId): void {
    this.#change(from, to, 1);
  }

  /** Gives back what `take` booked. */
  release(from: HostId | undefined, to: HostId): void {
    this.#change(from, to, -1);
  }

  /** Says that the host fetches one task more (1) or fewer (-1). */
  fetches(id: HostId, by: 1 | -1): void {
    this.#row(id).tasks += by;
  }

  /** Calls back at every change of what the host's uploads use or may use; returns how to end it. */
  watch(id: HostId, changed: () => void): () => void {
    const row = this.#row(id);
    row.watchers.add(changed);
    return () => row.watchers.delete(changed);
  }

  /** Forgets a host that is gone and takes part in nothing any more; returns whether it could be forgotten. */
  forget(id: HostId): boolean {
    const row = this.#rows.get(id);
    if (row === undefined) return true;
    if (row.watchers.size > 0 || row.upUsed > 0 || row.downUsed > 0 || row.tasks > 0) return false;
    return this.#rows.delete(id);
  }

  #row(id: HostId): Row {
    let row = this.#rows.get(id);
    if (row === undefined) {
      row = {
        id,
        upUsed: 0,
        downUsed: 0,
        upLimit: LIMITS.slotsUp,
        downLimit: LIMITS.slotsDown,
        tasks: 0,
        watchers: new Set(),
      };
      this.#rows.set(id, row);
    }
    return row;
  }

  #change(from: HostId | undefined, to: HostId, by: number): void {
    this.#row(to).downUsed += by;
    if (from === undefined) return;
    const row = this.#row(from);
    row.upUsed += by;
    tell(row);
  }
}

function tell(row: Row): void {
  for (const changed of row.watchers) changed();
}
