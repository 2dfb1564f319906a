import { type Random, randomInt } from '../core/clock.ts';
import { type Holdings, KEY_RAREST } from './holdings.ts';
import type { Load } from './load.ts';
import type { Member } from './member.ts';
import type { Members } from './members.ts';

const MISSES = 64;
const LISTED = 256;
const NARROW = 4;

/** What a choice looks at; `open` are the hosts that may be asked, `near` those of the child's own zone. */
export interface View {
  readonly random: Random;
  readonly holdings: Holdings;
  readonly load: Load;
  readonly open: Uint32Array;
  /** Words of `open` with any bit; some that have none any more may be among them. */
  readonly openMarks: Uint32Array;
  readonly near: Uint32Array | undefined;
  /** Whether pieces that enough children fetch already are left to those. */
  readonly patient: boolean;
  /** Whether any was. */
  left: boolean;
  readonly members: Members;
}

/** A piece and who is to give it. */
export interface Choice {
  readonly piece: number;
  readonly parent: Member;
}

/**
 * The least loaded open holder of the piece, of the child's zone at equal load, at random beyond that; undefined where
 * none is open, or enough children fetch the piece already.
 */
export function chooseParent(view: View, piece: number): Member | undefined {
  const { holdings, load, open, near, random } = view;
  const isLeft = view.patient && holdings.doubling(piece);
  // Whether another piece was left as well is of no interest: most that a crowd lacks are.
  if (isLeft && view.left) return undefined;
  if (!hasOpen(view, piece)) return undefined;
  if (isLeft) {
    view.left = true;
    return undefined;
  }
  const turn = randomInt(random, open.length * 32);
  for (let level = 0; level < load.levels.length; level += 1) {
    if (load.counts[level] === 0) continue;
    const at = load.levels[level];
    if (at === undefined) continue;
    let index = near === undefined ? -1 : firstCommon(view, piece, at, turn, near);
    if (index < 0) index = firstCommon(view, piece, at, turn);
    if (index >= 0) return view.members.at(index);
  }
  return undefined;
}

function hasOpen({ holdings, open, openMarks }: View, piece: number): boolean {
  const row = piece * holdings.hostWords;
  const marked = piece * holdings.markWords;
  for (let mark = 0; mark < openMarks.length; mark += 1) {
    let rest = (holdings.marks[marked + mark] ?? 0) & (openMarks[mark] ?? 0);
    while (rest !== 0) {
      const bit = Math.clz32(rest);
      rest &= ~(0x8000_0000 >>> bit);
      const word = mark * 32 + bit;
      if (((holdings.matrix[row + word] ?? 0) & (open[word] ?? 0)) !== 0) return true;
    }
  }
  return false;
}

/** The first holder of the piece from `turn` on, round the end, that is in every set; -1 where none is. */
function firstCommon(
  { holdings, open, openMarks }: View,
  piece: number,
  level: Uint32Array,
  turn: number,
  near?: Uint32Array,
): number {
  const row = piece * holdings.hostWords;
  const marked = piece * holdings.markWords;
  const marks = openMarks.length;
  const shift = turn & 31;
  const start = turn >>> 5;
  const from = 0xffff_ffff >>> (start & 31);
  for (let step = 0; step <= marks; step += 1) {
    // The first one twice: from the start on, and up to it in the end.
    const mark = ((start >>> 5) + step) % marks;
    let rest = (holdings.marks[marked + mark] ?? 0) & (openMarks[mark] ?? 0);
    if (step === 0) rest &= from;
    if (step === marks) rest &= ~from;
    while (rest !== 0) {
      const bit = Math.clz32(rest);
      rest &= ~(0x8000_0000 >>> bit);
      const word = mark * 32 + bit;
      let common = (holdings.matrix[row + word] ?? 0) & (open[word] ?? 0) & (level[word] ?? 0);
      if (near !== undefined) common &= near[word] ?? 0;
      if (common === 0) continue;
      const turned = shift === 0 ? common : (common << shift) | (common >>> (32 - shift));
      return word * 32 + ((Math.clz32(turned) + shift) & 31);
    }
  }
  return -1;
}

/**
 * The rarest piece that the child lacks and an open host can give: along the global order, and after 64 misses
 * among the child's own missing pieces from a random one on.
 */
export function choosePiece(view: View, child: Member): Choice | undefined {
  const { order } = view.holdings;
  let position = order.startOf(KEY_RAREST);
  const end = Math.min(order.size, position + MISSES);
  for (; position < end; position += 1) {
    const piece = order.at(position);
    if (child.have.has(piece) || child.flying.has(piece)) continue;
    const parent = chooseParent(view, piece);
    if (parent !== undefined) return { piece, parent };
  }
  return position < order.size ? chooseMissing(view, child) : undefined;
}

function chooseMissing(view: View, child: Member): Choice | undefined {
  const { holdings, random } = view;
  const { order } = holdings;
  const pieces = holdings.pieces;
  const words = (pieces + 31) >>> 5;
  const start = randomInt(random, words);
  const few = openHosts(view);
  let best: Choice | undefined;
  let bestKey = Number.POSITIVE_INFINITY;
  let looked = 0;
  for (let step = 0; step < words && looked < LISTED; step += 1) {
    const word = start + step < words ? start + step : start + step - words;
    let rest = ~((child.have.words[word] ?? 0) | (child.flying.words[word] ?? 0));
    if (few !== undefined) {
      let held = 0;
      for (const host of few) held |= host.have.words[word] ?? 0;
      rest &= held;
    }
    while (rest !== 0) {
      const bit = Math.clz32(rest);
      rest &= ~(0x8000_0000 >>> bit);
      const piece = word * 32 + bit;
      if (piece >= pieces) break;
      looked += 1;
      const key = order.key(piece);
      if (key < KEY_RAREST || key >= bestKey) continue;
      const parent = chooseParent(view, piece);
      if (parent === undefined) continue;
      best = { piece, parent };
      bestKey = key;
    }
  }
  return best;
}

/** The open hosts where they are few enough to look at what each holds. */
function openHosts(view: View): Member[] | undefined {
  const hosts: Member[] = [];
  for (let word = 0; word < view.open.length; word += 1) {
    let rest = view.open[word] ?? 0;
    while (rest !== 0) {
      const bit = Math.clz32(rest);
      rest &= ~(0x8000_0000 >>> bit);
      const member = view.members.at(word * 32 + bit);
      if (member !== undefined) hosts.push(member);
      if (hosts.length > NARROW) return undefined;
    }
  }
  return hosts;
}
