import type { Query } from '../../core/query-messages.ts';

/** What the rows of a page take up at most, but for the last of them: well below what a message holds. */
const PAGE_BYTES = 96 * 1024;
const PAGE_ROWS = 512;
/** Rows that one page looks at, where few of them are asked for. */
const SCANNED_ROWS = 4_096;
/** How long the order of a list is kept for whoever walks it. */
const KEPT_MS = 10_000;

const encoder = new TextEncoder();

/** One page of a list, in the order of the ids. */
export interface Page<R> {
  readonly rows: readonly R[];
  /** The id that the next page goes on behind; undefined at the end. */
  readonly next: string | undefined;
}

/** A list that is read by the page: sorted once for a walk, its rows made as they are read. */
export class PagedList<Id extends string, R> {
  readonly #ids: () => Iterable<Id>;
  readonly #row: (id: Id) => R | undefined;
  #sorted: readonly Id[] = [];
  #sortedMs = Number.NEGATIVE_INFINITY;

  /** @param row undefined where the id is gone meanwhile */
  constructor(ids: () => Iterable<Id>, row: (id: Id) => R | undefined) {
    this.#ids = ids;
    this.#row = row;
  }

  /** The rows behind `after` that fit, at most `limit`. */
  page(
    { after, limit = PAGE_ROWS }: Pick<Query, 'after' | 'limit'>,
    nowMs: number,
    fits: (row: R) => boolean = () => true,
  ): Page<R> {
    if (after === undefined || nowMs - this.#sortedMs > KEPT_MS) {
      this.#sorted = [...new Set(this.#ids())].sort();
      this.#sortedMs = nowMs;
    }
    const sorted = this.#sorted;
    const rows: R[] = [];
    let bytes = 0;
    let at = after === undefined ? 0 : firstBehind(sorted, after);
    const most = Math.min(limit, PAGE_ROWS);
    const end = Math.min(sorted.length, at + SCANNED_ROWS);
    for (; at < end && rows.length < most && bytes < PAGE_BYTES; at += 1) {
      const id = sorted[at];
      const row = id === undefined ? undefined : this.#row(id);
      if (row === undefined || !fits(row)) continue;
      rows.push(row);
      bytes += encoder.encode(JSON.stringify(row)).length;
    }
    const next = at < sorted.length ? sorted[at - 1] : undefined;
    if (next === undefined) this.#forget();
    return { rows, next };
  }

  /** Nobody is likely to walk on: a large list is not kept for nobody. */
  #forget(): void {
    this.#sorted = [];
    this.#sortedMs = Number.NEGATIVE_INFINITY;
  }
}

function firstBehind(sorted: readonly string[], after: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
