import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { apiPage } from './docs-api.ts';
import { decisionsPage } from './docs-decisions.ts';
import { eventsPage } from './docs-events.ts';
import { measurementsPage } from './docs-measurements.ts';
import { configPage, errorsPage, metricsPage } from './docs-reference.ts';

/** Pages that are made from code or data, by their place in docs/. */
export async function pages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['API.md', apiPage()],
    ['CONFIG.md', configPage()],
    ['ERRORS.md', errorsPage()],
    ['EVENTS.md', eventsPage()],
    ['MEASUREMENTS.md', measurementsPage()],
    ['METRICS.md', await metricsPage()],
    ['decisions/README.md', decisionsPage()],
  ]);
}

/** Where a page lies. */
export function placeOf(name: string): URL {
  return new URL(`../docs/${name}`, import.meta.url);
}

/** `--write` writes the pages; `--check` fails where one is not what the code says. `only` names one page. */
async function main(mode: string | undefined, only: string | undefined): Promise<void> {
  for (const [name, text] of await pages()) {
    if (only !== undefined && only !== name) continue;
    if (mode === '--write') await writeFile(placeOf(name), text);
    else if ((await readFile(placeOf(name), 'utf8').catch(() => '')) !== text) {
      console.error(`docs/${name} is out of step: npx tsx scripts/docs.ts --write`);
      process.exitCode = 1;
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main(process.argv[2], process.argv[3]);
