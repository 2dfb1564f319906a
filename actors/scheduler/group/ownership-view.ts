import type { Clock } from '../../../core/clock.ts';
import type { SchedulerId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import {
  type Heartbeat,
  type OwnershipRow,
  ownershipKey,
  readHeartbeat,
  readOwnershipRow,
} from '../../../core/ownership.ts';
import type { DirectoryEntry } from '../../../transport/bus.ts';

interface Change {
  readonly key: string;
  /** Absent where the key was removed. */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

/** A heartbeat, and since when it has stood still here, monotonic ms. */
interface HeartbeatView extends Heartbeat {
  readonly revision: number;
  readonly movedMs: number;
}

/** What the store says of who owns what, as far as this scheduler has heard; only a compare-and-set is sure. */
export class OwnershipView {
  readonly #clock: Clock;
  readonly #revisions = new Map<string, number>();
  readonly #rows = new Map<number, OwnershipRow & { readonly revision: number }>();
  readonly #heartbeats = new Map<SchedulerId, HeartbeatView>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The largest revision that was heard of, of what is there. */
  get newest(): number {
    return Math.max(0, ...this.#revisions.values());
  }

  row(partition: number): (OwnershipRow & { readonly revision: number }) | undefined {
    return this.#rows.get(partition);
  }

  heartbeat(id: SchedulerId): HeartbeatView | undefined {
    return this.#heartbeats.get(id);
  }

  /** Whether a heartbeat has stood still for so long that its scheduler grants nothing any more. */
  isStill(id: SchedulerId): boolean {
    const heartbeat = this.#heartbeats.get(id);
    return (
      heartbeat !== undefined && this.#clock.now() - heartbeat.movedMs > LIMITS.termMs + LIMITS.termMarginMs
    );
  }

  heartbeats(): Iterable<readonly [SchedulerId, HeartbeatView]> {
    return this.#heartbeats;
  }

  /** Partitions that a scheduler owns. */
  ownedBy(id: SchedulerId): number[] {
    return [...this.#rows].filter(([, { owner }]) => owner === id).map(([partition]) => partition);
  }

  /** All there is, whatever was heard before: the store may be another. */
  replace(entries: readonly DirectoryEntry[]): void {
    const present = new Set(entries.map(({ key }) => key));
    for (const [key, revision] of [...this.#revisions]) {
      if (!present.has(key)) this.take({ key, value: undefined, revision });
    }
    for (const entry of entries) {
      if ((this.#revisions.get(entry.key) ?? 0) > entry.revision) this.#revisions.delete(entry.key);
      this.take(entry);
    }
  }

  /** One change; one that is older than what is known comes late. */
  take({ key, value, revision }: Change): void {
    const known = this.#revisions.get(key) ?? 0;
    const of = ownershipKey(key);
    // A heartbeat that is told again has not moved; a row of that number may be of another store.
    const isAgain = revision === known && value !== undefined && (of === undefined || 'heartbeatOf' in of);
    if (revision < known || isAgain) return;
    if (value === undefined) this.#revisions.delete(key);
    else this.#revisions.set(key, revision);
    if (of === undefined) return;
    if ('partition' in of) {
      const row = value && readOwnershipRow(value);
      if (row === undefined) this.#rows.delete(of.partition);
      else this.#rows.set(of.partition, { ...row, revision });
      return;
    }
    const heartbeat = value && readHeartbeat(value);
    if (heartbeat === undefined) this.#heartbeats.delete(of.heartbeatOf);
    else this.#heartbeats.set(of.heartbeatOf, { ...heartbeat, revision, movedMs: this.#clock.now() });
  }
}
