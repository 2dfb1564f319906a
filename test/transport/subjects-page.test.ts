import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { subjectsPage } from '../../scripts/docs-subjects.ts';

const PAGE = new URL('../../docs/SUBJECTS.md', import.meta.url);

test('the page of subjects is in step with the code (npx tsx scripts/docs-subjects.ts --write)', async () => {
  expect(await readFile(PAGE, 'utf8')).toBe(subjectsPage());
});
