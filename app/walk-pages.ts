import type { RowPage } from '../core/list-page.ts';
import type { Query } from '../core/query-messages.ts';

interface Walk<R> {
  readonly idOf: (row: R) => string;
  /** Of several rows of one id, the one that weighs most is taken. */
  readonly weightOf: (row: R) => number;
  /** Only rows behind this id. */
  readonly after?: string | undefined;
  /** Rows wanted; all unless given. */
  readonly limit?: number | undefined;
  /** Whether what was found will do, though rows are left behind this id. */
  readonly enough?: (after: string) => boolean;
  /** Asks all for their page; it may go on as soon as `most` of them answered. */
  readonly ask: (
    page: Pick<Query, 'after' | 'limit'>,
    most: number | undefined,
  ) => Promise<readonly RowPage<R>[]>;
}

/**
 * Walks the lists of all who answer, page by page, to one list in the order of the ids. A row is taken once everybody
 * has told its rows up to that id; what somebody told beyond is asked for again. `next` is absent at the end.
 */
export async function walkPages<R>(walk: Walk<R>): Promise<RowPage<R>> {
  const { idOf, weightOf, limit, ask, enough = () => false } = walk;
  const best = new Map<string, R>();
  const wanted = limit ?? Number.POSITIVE_INFINITY;
  let { after } = walk;
  let most: number | undefined;
  do {
    const page = {
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit: Math.min(4096, limit) }),
    };
    const pages: readonly RowPage<R>[] = await ask(page, most);
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
  } while (after !== undefined && best.size < wanted && !enough(after));
  const rows = [...best.values()].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  if (rows.length <= wanted) return { rows, next: after };
  const taken = rows.slice(0, wanted);
  return { rows: taken, next: idOf(taken[taken.length - 1] as R) };
}
