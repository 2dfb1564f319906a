import type { HostAddress } from './host.ts';

/** A run of pieces to read from somewhere: one lease, or what is left of it. */
export interface Run {
  readonly first: number;
  readonly count: number;
  readonly from: HostAddress | 'origin';
  /** A duplicate of a piece that is in flight already; always of one piece. */
  readonly hedge: boolean;
}

/** Whether two runs come from the same host, or both from the origin. */
export function sameParent(a: Pick<Run, 'from'>, b: Pick<Run, 'from'>): boolean {
  if (a.from === 'origin' || b.from === 'origin') return a.from === b.from;
  return a.from.hostId === b.from.hostId;
}

/** Whether a piece is one of the run's. */
export function covers(run: Run, piece: number): boolean {
  return run.first <= piece && piece < run.first + run.count;
}
