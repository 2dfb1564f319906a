import { LIMITS } from '../core/limits.ts';
import { avoids } from './avoidance.ts';
import { wordsFor } from './bits.ts';
import { type Choice, chooseParent, choosePiece, type View } from './choice.ts';
import { KEY_LOST, KEY_RAREST } from './holdings.ts';
import type { LedgerState } from './ledger-state.ts';
import { brings, type Flight, type Member } from './member.ts';
import { chooseUnreachable, unreachableBy, unreachableRun } from './unreachable.ts';

const MASK_PIECES = 32;
const MOST_STARVING = 64;
/** A child without a lease for this long does not wait for the copies on their way to others: they may be stuck. */
const PATIENCE_MS = 2_000;
/** Whoever gave a child a piece so lately can be got at from there, whatever others say. */
const GIVEN_WITHIN_MS = 5_000;

/** What a child can take, as its sync said. */
export interface Demand {
  readonly nowMs: number;
  /** Leases it can take beyond those it has. */
  readonly slots: number;
  /** Measured rate of one transfer; 0 while unknown. */
  readonly bytesPerSec: number;
  /** Time to its next sync, as it is asked for; absent: as little as there is. */
  readonly intervalMs?: number;
  /** The one piece a reader starves for. */
  readonly urgent?: number | undefined;
  /** Number of the lease set that these leases will be part of. */
  readonly setNumber: number;
}

/** Gives the child leases by the policy, until it can take no more or nothing is left for it. */
export function grantLeases(state: LedgerState, child: Member, demand: Demand): void {
  const { nowMs, setNumber, urgent } = demand;
  if (child.pausedUntilMs > nowMs || !child.wants) return;
  if (urgent !== undefined) starve(state, child, urgent);
  let slots = demand.slots;
  for (const flight of child.flights) if (flight.setNumber > child.seen) slots -= 1;
  if (slots <= 0) return;
  // What it takes until it has heard an answer to the sync after this one.
  const aheadMs = 2 * (demand.intervalMs ?? 0);
  const most = runPieces(state, child, demand.bytesPerSec, aheadMs);
  const view = viewFor(state, child, nowMs);
  const book = (from: Member | 'origin', first: number, count: number, hedge = false): void => {
    state.flights.book(child, from, { first, count, setNumber, nowMs, hedge });
    slots -= 1;
    if (from !== 'origin') narrow(state, view, child, from);
  };

  if (urgent !== undefined && wanted(state, child, urgent)) {
    const parent = chooseParent(view, urgent);
    if (parent !== undefined) book(parent, urgent, 1);
  }
  if (slots > 0 && !state.ranges && grantStream(state, child, demand)) slots -= 1;
  const leastMs = 2 * Math.max(LIMITS.syncMinIntervalMs, LIMITS.syncPerHostMs * state.children.size);
  const aheadBytes = (Math.max(leastMs, aheadMs) * demand.bytesPerSec) / 1000;
  const ahead = aheadBytes / Math.max(1, most * state.pieceBytes);
  while (slots > 0 && state.ranges && state.holdings.lost > 0 && state.origin.mayTake(child, ahead, nowMs)) {
    const first = chooseLost(state, child, urgent);
    if (first < 0) break;
    book('origin', first, originRun(state, child, first, most));
  }
  let refused = false;
  while (slots > 0 && !refused) {
    const choice = choosePiece(view, child);
    if (choice === undefined) refused = true;
    else {
      const [first, count] = peerRun(state, child, choice, most);
      book(choice.parent, first, count);
    }
  }
  const unreachable = slots > 0 && state.ranges ? unreachableBy(state, child, nowMs) : undefined;
  while (unreachable && slots > 0 && state.origin.mayTake(child, ahead, nowMs)) {
    const first = chooseUnreachable(state, child, unreachable);
    if (first < 0) break;
    book('origin', first, unreachableRun(state, child, unreachable, { first, most }));
  }
  if (slots > 0) hedgeTail(state, view, child, nowMs, () => slots > 0, book);
  if (child.flights.length > 0 || !view.left) child.waitingSinceMs = undefined;
  else child.waitingSinceMs ??= nowMs;
}

/** Notes a piece that a reader starves for and only the origin has: whoever reads the origin takes it next. */
function starve(state: LedgerState, child: Member, piece: number): void {
  if (state.starving.size >= MOST_STARVING || !wanted(state, child, piece)) return;
  if (state.holdings.order.key(piece) === KEY_LOST) state.starving.add(piece);
}

/** Whether the child neither has the piece nor is being brought it. */
export function wanted(state: LedgerState, child: Member, piece: number): boolean {
  return piece < state.holdings.pieces && !child.have.has(piece) && !child.flying.has(piece);
}

/**
 * How many pieces a lease may have, 1 to 32: a long one takes fewer requests, and where its slowness would be felt at the
 * end, other tasks fill the link. One that ended long before its child is heard again would leave the link idle, and many
 * short ones cost a scheduler with too much to do the time it lacks. @see LIMITS.leaseBytes, LIMITS.leaseMs
 */
function runPieces(state: LedgerState, child: Member, bytesPerSec: number, aheadMs: number): number {
  const sharedMs = Math.min(LIMITS.leaseMostMs, LIMITS.leaseMs * Math.max(1, state.tasks(child)));
  const ms = Math.max(sharedMs, aheadMs);
  const bytes = Math.min(LIMITS.leaseBytes, (bytesPerSec * ms) / 1000);
  return Math.max(1, Math.min(MASK_PIECES, Math.floor(bytes / Math.max(1, state.pieceBytes))));
}

/** The hosts that the child may ask now. */
function viewFor(state: LedgerState, child: Member, nowMs: number): View {
  const open = state.load.free.slice();
  const close = (parent: Member): void => {
    const word = parent.index >>> 5;
    open[word] = (open[word] ?? 0) & ~(0x8000_0000 >>> (parent.index & 31));
  };
  for (const [parent, { untilMs }] of child.avoided) {
    if (parent !== 'origin' && untilMs > nowMs) close(parent);
  }
  for (const parent of state.suspended) {
    if (parent.suspendedUntilMs <= nowMs) state.suspended.delete(parent);
    else if (!knowsBetter(child, parent, nowMs)) close(parent);
  }
  const near = child.zone === undefined ? undefined : state.members.zones.get(child.zone)?.words;
  const patient = nowMs - (child.waitingSinceMs ?? nowMs) < PATIENCE_MS;
  const { random, holdings, load, members } = state;
  const openMarks = marksOf(open);
  const view = { random, holdings, load, members, open, openMarks, near, patient, left: false };
  for (const { from } of child.flights) if (typeof from !== 'string') narrow(state, view, child, from);
  return view;
}

/**
 * Whether others could not get at the parent, but the child just could: those may be cut off themselves. One that gave
 * wrong bytes gives to nobody.
 */
function knowsBetter(child: Member, parent: Member, nowMs: number): boolean {
  if (parent.warned || child.avoided.has(parent)) return false;
  return nowMs - (child.givenMs.get(parent) ?? Number.NEGATIVE_INFINITY) < GIVEN_WITHIN_MS;
}

/** Which words have any bit. */
function marksOf(words: Uint32Array): Uint32Array {
  const marks = new Uint32Array(wordsFor(words.length));
  for (let word = 0; word < words.length; word += 1) {
    if (words[word] === 0) continue;
    marks[word >>> 5] = (marks[word >>> 5] ?? 0) | (0x8000_0000 >>> (word & 31));
  }
  return marks;
}

/** Closes a parent that has no free slot left, or none left for this child. */
function narrow(state: LedgerState, view: View, child: Member, parent: Member): void {
  const word = parent.index >>> 5;
  const bit = 0x8000_0000 >>> (parent.index & 31);
  let mine = 0;
  for (const { from } of child.flights) if (from === parent) mine += 1;
  if (mine >= share(state, parent)) view.open[word] = (view.open[word] ?? 0) & ~bit;
  else view.open[word] = (view.open[word] ?? 0) & (~bit | (state.load.free[word] ?? 0));
}

/** How many of a parent's slots one child may have: an even part, so that what a parent has spreads at once. */
function share(state: LedgerState, parent: Member): number {
  return Math.max(1, Math.ceil(state.upLimit(parent) / Math.max(1, state.children.size)));
}

/**
 * A piece that only the origin has: the child's urgent one, one that others starve for, else any; where few read,
 * they go in order. -1 where there is none that the child lacks.
 */
function chooseLost(state: LedgerState, child: Member, urgent: number | undefined): number {
  const { holdings, starving, origin } = state;
  const { order } = holdings;
  const fits = (piece: number): boolean =>
    piece < order.size && order.key(piece) === KEY_LOST && !child.have.has(piece);
  if (urgent !== undefined && fits(urgent)) return urgent;
  for (const piece of starving) {
    starving.delete(piece);
    if (fits(piece)) return piece;
  }
  if (origin.isQuiet(child)) {
    const lowest = holdings.firstLost();
    if (fits(lowest)) return lowest;
  }
  for (let position = 0; position < holdings.lost; position += 1) {
    const piece = order.at(position);
    if (fits(piece)) return piece;
  }
  return -1;
}

function originRun(state: LedgerState, child: Member, first: number, most: number): number {
  const { order } = state.holdings;
  let count = 1;
  while (count < most && first + count < order.size && order.key(first + count) === KEY_LOST) {
    if (child.have.has(first + count)) break;
    count += 1;
  }
  return count;
}

/** Adjacent pieces of equal rarity around the chosen one that the same parent holds and the child lacks. */
function peerRun(
  state: LedgerState,
  child: Member,
  { piece, parent }: Choice,
  most: number,
): [number, number] {
  const { order } = state.holdings;
  const key = order.key(piece);
  const fits = (other: number): boolean =>
    other >= 0 && order.key(other) === key && parent.have.has(other) && wanted(state, child, other);
  let first = piece;
  let count = 1;
  while (count < most && fits(first + count)) count += 1;
  while (count < most && fits(first - 1)) {
    first -= 1;
    count += 1;
  }
  return [first, count];
}

/** One reader takes all of an origin that gives no ranges. */
function grantStream(state: LedgerState, child: Member, { nowMs, setNumber }: Demand): boolean {
  const { flights, holdings, origin } = state;
  if (flights.stream !== undefined || (state.geometry !== undefined && holdings.lost === 0)) return false;
  if (!origin.mayTake(child, 1, nowMs)) return false;
  flights.book(child, 'origin', { first: 0, count: 0, setNumber, nowMs, stream: true });
  return true;
}

/**
 * A child that waits too long for a piece, and can be given nothing else, asks another parent as well; in the last part
 * of its pieces sooner.
 */
function hedgeTail(
  state: LedgerState,
  view: View,
  child: Member,
  nowMs: number,
  more: () => boolean,
  book: (from: Member, first: number, count: number, hedge: boolean) => void,
): void {
  const pieces = state.holdings.pieces;
  const missing = pieces - child.have.count;
  if (state.geometry === undefined) return;
  const medianMs = state.flights.medianPieceMs();
  if (medianMs === undefined) return;
  const isTail = missing <= Math.max(1, pieces * LIMITS.hedgeTailShare);
  const lateMs = Math.max(LIMITS.hedgeAfterMedians * medianMs, isTail ? 0 : LIMITS.hedgeLateMs);
  const late = (flight: Flight): boolean =>
    !flight.stream && !flight.hedge && nowMs - flight.movedMs > lateMs;
  for (const flight of child.flights.filter(late)) {
    const piece = flight.first + 31 - Math.clz32(flight.mask & -flight.mask);
    if (!more() || state.holdings.order.key(piece) < KEY_RAREST) continue;
    if (child.flights.some((other) => other !== flight && brings(other, piece))) continue;
    const open = view.open.slice();
    if (typeof flight.from !== 'string') {
      const word = flight.from.index >>> 5;
      open[word] = (open[word] ?? 0) & ~(0x8000_0000 >>> (flight.from.index & 31));
    }
    const parent = chooseParent({ ...view, open }, piece);
    if (parent !== undefined) book(parent, piece, 1, true);
  }
}

/** Whether a grant could give the child anything, roughly and cheaply. */
export function couldTake(state: LedgerState, child: Member, nowMs: number): boolean {
  if (!child.wants || child.pausedUntilMs > nowMs) return false;
  if (state.load.freeHosts > 0) return true;
  if (avoids(child, 'origin', nowMs)) return false;
  const owed = state.ranges ? state.holdings.lost > 0 : state.flights.stream === undefined;
  return owed && state.origin.mayTake(child, 1, nowMs);
}
