import type { Query } from '../core/query-messages.ts';

/** One answerer's page: its rows in the order of their ids, and the id that its next page goes on behind. */
export interface Paged<R> {
  readonly rows: readonly R[];
  readonly next: string | undefined;
}

interface Walk<R> {
  readonly idOf: (row: R) => string;
  /** Of several rows of one id, the one that weighs most is taken. */
  readonly weightOf: (row: R) => number;
  /** Rows wanted; all unless given. */
  readonly limit?: number | undefined;
  /** Asks all for their page; it may go on as soon as `most` of them answered. */
  readonly ask: (
    page: Pick<Query, 'after' | 'limit'>,
    most: number | undefined,
  ) => Promise<readonly Paged<R>[]>;
}

/**
 * Walks the lists of all who answer, page by page, to one list in the order of the ids. A row is taken once everybody
 * has told its rows up to that id; what somebody told beyond is asked for again.
 */
export async function walkPages<R>({ idOf, weightOf, limit, ask }: Walk<R>): Promise<R[]> {
  const best = new Map<string, R>();
  const wanted = limit ?? Number.POSITIVE_INFINITY;
  let after: string | undefined;
  let most: number | undefined;
  do {
    const page = {
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit: Math.min(4096, limit) }),
    };
    const pages: readonly Paged<R>[] = await ask(page, most);
    const ends = pages.flatMap(({ next }) => next ?? []).filter((id) => after === undefined || id > after);
    const end = ends.sort()[0];
    for (const { rows } of pages) {
      for (const row of rows) {
        const id = idOf(row);
        if (end !== undefined && id > end) continue;
        const known = best.get(id);
        if (known === undefined || weightOf(row) > weightOf(known)) best.set(id, row);
      }
    }
    after = end;
    // All who are there have answered the first page.
    most ??= pages.length;
  } while (after !== undefined && best.size < wanted);
  return [...best.values()].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1)).slice(0, wanted);
}
