import { randomInt } from '../core/clock.ts';
import type { LedgerState } from './ledger-state.ts';
import type { Member } from './member.ts';

/** So many pieces are looked at in one grant. */
const MOST_LOOKED = 4_096;

/** The hosts that the child cannot get at now, as a row of the holders' matrix; undefined where there are none. */
export function unreachableBy(state: LedgerState, child: Member, nowMs: number): Uint32Array | undefined {
  let row: Uint32Array | undefined;
  for (const [parent, { untilMs, isOutOfReach }] of child.avoided) {
    if (parent === 'origin' || !isOutOfReach || untilMs <= nowMs) continue;
    row ??= new Uint32Array(state.holdings.hostWords);
    row[parent.index >>> 5] = (row[parent.index >>> 5] ?? 0) | (0x8000_0000 >>> (parent.index & 31));
  }
  return row;
}

/**
 * A piece that the child lacks, that nobody is bringing to anybody, and that only hosts hold which it cannot get at: to it
 * the piece is as lost as one that nobody holds. From a random one on; -1 where there is none.
 */
export function chooseUnreachable(state: LedgerState, child: Member, unreachable: Uint32Array): number {
  const { pieces } = state;
  const from = randomInt(state.random, Math.max(1, pieces));
  for (let step = 0; step < Math.min(pieces, MOST_LOOKED); step += 1) {
    const piece = (from + step) % pieces;
    if (isUnreachable(state, child, unreachable, piece)) return piece;
  }
  return -1;
}

/** How many pieces from that one on are such, at most so many. */
export function unreachableRun(
  state: LedgerState,
  child: Member,
  unreachable: Uint32Array,
  { first, most }: { readonly first: number; readonly most: number },
): number {
  let count = 1;
  while (count < most && isUnreachable(state, child, unreachable, first + count)) count += 1;
  return count;
}

function isUnreachable(
  { holdings }: LedgerState,
  child: Member,
  unreachable: Uint32Array,
  piece: number,
): boolean {
  if (piece >= holdings.pieces || holdings.copies(piece) === 0 || holdings.flights(piece) > 0) return false;
  if (child.have.has(piece)) return false;
  const row = piece * holdings.hostWords;
  for (let word = 0; word < holdings.hostWords; word += 1) {
    if (((holdings.matrix[row + word] ?? 0) & ~(unreachable[word] ?? 0)) !== 0) return false;
  }
  return true;
}
