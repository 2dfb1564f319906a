import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PagedList } from '../../actors/scheduler/pages.ts';
import { walkPages } from '../../app/walk-pages.ts';
import type { RowPage } from '../../core/list-page.ts';

interface Row {
  readonly id: string;
  readonly weight: number;
  readonly text: string;
}

const page = (lists: readonly PagedList<string, Row>[], limit?: number, after?: string) =>
  walkPages<Row>({
    idOf: ({ id }) => id,
    weightOf: ({ weight }) => weight,
    limit,
    after,
    ask: async (asked) =>
      lists.map((list) => {
        const { rows, next } = list.page({ limit: 3, ...asked }, 0);
        return { rows, next };
      }),
  });

const walk = async (lists: readonly PagedList<string, Row>[], limit?: number) =>
  (await page(lists, limit)).rows;

const listOf = (rows: readonly Row[]) =>
  new PagedList(
    () => rows.map(({ id }) => id),
    (id) => rows.find((row) => row.id === id),
  );

test('whatever several schedulers list, each id comes once, in order, with its heaviest row', async () => {
  const row = fc.record({
    id: fc.nat({ max: 30 }).map((id) => String(id).padStart(2, '0')),
    weight: fc.nat({ max: 9 }),
    text: fc.constant(''),
  });
  const list = fc.uniqueArray(row, { selector: ({ id }) => id, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(list, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 30 }),
      async (lists, n) => {
        const all = lists.flat();
        const ids = [...new Set(all.map(({ id }) => id))].sort();
        const best = ids.map((id) =>
          Math.max(...all.filter((one) => one.id === id).map((one) => one.weight)),
        );
        const rows = await walk(lists.map(listOf));
        expect(rows.map(({ id }) => id)).toEqual(ids);
        expect(rows.map(({ weight }) => weight)).toEqual(best);
        const few = await walk(lists.map(listOf), n + 1);
        expect(few.map(({ id }) => id)).toEqual(ids.slice(0, n + 1));
        const paged: string[] = [];
        for (let next: string | undefined = ''; next !== undefined; ) {
          const found: RowPage<Row> = await page(lists.map(listOf), n + 1, next || undefined);
          expect(found.rows.length).toBeLessThanOrEqual(n + 1);
          paged.push(...found.rows.map(({ id }) => id));
          ({ next } = found);
        }
        expect(paged).toEqual(ids);
      },
    ),
    { numRuns: 100 },
  );
});

test('a page ends where a message would be full, and the next one goes on behind it', async () => {
  const rows = Array.from({ length: 40 }, (_, index) => ({
    id: String(index).padStart(2, '0'),
    weight: 0,
    text: 'é'.repeat(8 * 1024),
  }));
  const list = listOf(rows);
  const first = list.page({}, 0);
  expect(first.rows).toHaveLength(6);
  expect(list.page({ after: first.next ?? '' }, 0).rows[0]?.id).toBe('06');
  expect(await walk([listOf(rows)])).toHaveLength(40);
});

test('a row that went meanwhile is left out, and the walk goes on', async () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const list = new PagedList(
    () => ids,
    (id) => (id < 'e' ? undefined : { id, weight: 0, text: '' }),
  );
  expect((await walk([list])).map(({ id }) => id)).toEqual(['e', 'f', 'g']);
});

test('a page looks at so many rows alone, where few fit', () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => String(index).padStart(5, '0'));
  const list = new PagedList(
    () => ids,
    (id) => ({ id }),
  );
  const only = ({ id }: { id: string }) => id === '09999';
  const first = list.page({}, 0, only);
  expect(first).toEqual({ rows: [], next: '04095' });
  const second = list.page({ after: '04095' }, 0, only);
  expect(list.page({ after: second.next ?? '' }, 0, only)).toEqual({
    rows: [{ id: '09999' }],
    next: undefined,
  });
});
