import type { Holdings } from './holdings.ts';
import type { Member } from './member.ts';

/** How far behind its fellows, as a part of all pieces, costs a child one upload slot, and the right to read the origin. */
const PART_A_SLOT = 1 / 256;
const PART_READING = 1 / 64;
/** Pieces that count for nothing in a small task. */
const SLACK = 2;
/** Of its upload slots, a child keeps at least this part. */
const KEPT = 1 / 3;

/**
 * How children get on beside each other. On a link that is as fast up as down, a host whose uplink is full gets its
 * acknowledgements late and downloads slowly; it is the one that everybody waits for in the end. So who falls behind
 * uploads less, and leaves the origin to others, until it has caught up.
 */
export class Pace {
  readonly #children = new Set<Member>();
  readonly #holdings: Holdings;
  #held = 0;

  constructor(holdings: Holdings) {
    this.#holdings = holdings;
  }

  /** Says whether the member is still fetching. */
  child(member: Member, is: boolean): void {
    if (is === this.#children.has(member)) return;
    if (is) this.#children.add(member);
    else this.#children.delete(member);
    this.#held += is ? member.have.count : -member.have.count;
  }

  /** The member holds that many pieces more, or fewer. */
  changed(member: Member, by: number): void {
    if (this.#children.has(member)) this.#held += by;
  }

  /** How many of `slots` the member had better leave unused. */
  withheld(member: Member, slots: number): number {
    const unit = Math.max(SLACK, this.#holdings.pieces * PART_A_SLOT);
    return Math.min(Math.floor(slots * (1 - KEPT)), Math.floor(this.#behind(member) / unit));
  }

  /** Whether the member is so far behind that others had better read the origin. */
  lags(member: Member): boolean {
    return this.#behind(member) > Math.max(SLACK, this.#holdings.pieces * PART_READING);
  }

  #behind(member: Member): number {
    if (!this.#children.has(member)) return 0;
    return Math.max(0, this.#held / this.#children.size - member.have.count);
  }
}
