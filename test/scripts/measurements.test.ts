import { join } from 'node:path';
import { expect, test } from 'vitest';
import { figureOf, record } from '../../bench/record.ts';
import { measurements, measurementsPage } from '../../scripts/docs-measurements.ts';
import { tempDir } from '../support/temp-dir.ts';

test('a figure is the middle of its runs, with the least and the most', () => {
  expect(figureOf('last file', 'ratio', [1.2, 1, 1.1])).toEqual({
    name: 'last file',
    unit: 'ratio',
    median: 1.1,
    min: 1,
    max: 1.2,
    runs: 3,
  });
});

test('what a bench records is read again, with its machine, and is on the page', async () => {
  await using dir = await tempDir();
  record(join(dir.path, 'one.json'), {
    title: 'A file by two hosts',
    conditions: ['links of 50mbit'],
    figures: [figureOf('last file', 'ratio', [1.25]), figureOf('from the origin', 'copies', [1])],
  });
  const all = measurements(dir.path);
  expect(all.get('one')?.machine.node).toBe(process.versions.node);
  const page = measurementsPage(all);
  expect(page).toContain('## one\n\nA file by two hosts.\n');
  expect(page).toContain(
    '| last file | 1.25 | 1.25 | 1.25 | 1 |\n| from the origin | 1.000 | 1.000 | 1.000 | 1 |',
  );
  expect(page).toContain('- links of 50mbit');
});

test('nothing is written where nobody asked to record', async () => {
  await using dir = await tempDir();
  record(undefined, { title: 'A file', conditions: [], figures: [figureOf('time', 's', [1])] });
  expect(measurements(dir.path).size).toBe(0);
});
