import type { Bitfield } from '../core/bitfield.ts';
import type { Random } from '../core/clock.ts';
import type { HostRole } from '../core/host.ts';
import type { Geometry } from '../core/piece.ts';
import type { FailureReason, Parent } from '../core/sync-messages.ts';
import type { TaskReads } from './origin-reads.ts';
import type { SlotTable } from './slots.ts';

/** How a ledger begins. */
export interface LedgerOptions {
  readonly random: Random;
  readonly slots: SlotTable;
  readonly reads: TaskReads;
  readonly geometry?: Geometry | undefined;
  /** Whether the origin gives ranges; otherwise one reader streams it all. */
  readonly ranges: boolean;
  /** How many hosts may read the origin at once, instead of the rule of OriginCap. */
  readonly originReaders?: number | undefined;
  /** A holder had no free slot, and has one now. */
  readonly onFree?: (() => void) | undefined;
}

/** How a host takes part in a task; `wants` is true unless said. */
export interface JoinAs {
  readonly role: HostRole;
  readonly zone?: string | undefined;
  readonly mayReadOrigin: boolean;
  readonly wants?: boolean | undefined;
}

/** A transfer that failed, as the child reports it. */
export interface Failed {
  readonly first: number;
  readonly count: number;
  readonly parent: Parent;
  readonly reason: FailureReason;
}

/** What a sync says of the leases of its sender. */
export interface Standing {
  readonly running: readonly number[];
  readonly queued: readonly number[];
  /** Number of the last lease set that the child has seen. */
  readonly seenNumber: number;
  readonly nowMs: number;
}

/** What a sync says to a ledger. */
export interface Report extends Standing {
  /** All that its sender holds; else `added`, what it holds beside what is known. */
  readonly holds?: Bitfield | undefined;
  readonly added?: Iterable<number> | undefined;
  readonly failures?: readonly Failed[] | undefined;
}

/** Figures of a task for metrics and `task show`. */
export interface LedgerStats {
  readonly hosts: number;
  readonly children: number;
  readonly complete: number;
  readonly pieces: number;
  readonly leases: number;
  readonly originReaders: number;
  readonly originReadersMost: number;
  /** Pieces leased from the origin, those of them that came, and pieces that only the origin has now. */
  readonly originLeased: number;
  readonly originLanded: number;
  readonly originOwed: number;
}
