import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SOURCES_TOLD } from '../../core/delivery.ts';
import { SourceTallies } from '../../core/source-tallies.ts';

test('a source took the time in which at least one transfer from it ran', () => {
  const sources = new SourceTallies();
  sources.began('a', 0);
  sources.began('a', 50);
  sources.came('a', 10);
  sources.ended('a', 12, 100);
  sources.ended('a', 0, 120);
  sources.failed('a', 'stalled');
  sources.began('a', 200);
  const [row] = sources.rows(230);
  expect(row).toMatchObject({ from: 'a', bytes: 10, tookMs: 150, failed: { stalled: 1 } });
  sources.ended('a', 3, 240);
  expect(sources.rows(300)[0]).toMatchObject({ bytes: 10, unusedBytes: 5, tookMs: 160 });
});

test('however many sources there are, few rows tell of all bytes and failures', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: fc.nat(1000), fails: fc.nat(3) }), { maxLength: 60 }), (list) => {
      const sources = new SourceTallies();
      list.forEach(({ bytes, fails }, index) => {
        sources.came(`host${index}`, bytes);
        for (let time = 0; time < fails; time += 1) sources.failed(`host${index}`, 'busy');
      });
      const rows = sources.rows(0);
      expect(rows.length).toBeLessThanOrEqual(SOURCES_TOLD + 1);
      const of = (pick: (row: (typeof rows)[number]) => number) =>
        rows.reduce((sum, row) => sum + pick(row), 0);
      expect(of(({ bytes }) => bytes)).toBe(list.reduce((sum, { bytes }) => sum + bytes, 0));
      expect(of(({ failed }) => failed['busy'] ?? 0)).toBe(list.reduce((sum, { fails }) => sum + fails, 0));
      expect(of(({ hosts = 1 }) => hosts)).toBe(list.length);
      expect(sources.parents).toBe(list.filter(({ bytes }) => bytes > 0).length);
    }),
  );
});

test('the origin is a source, and no parent', () => {
  const sources = new SourceTallies();
  sources.came('origin', 5);
  expect(sources.parents).toBe(0);
});
