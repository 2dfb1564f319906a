import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { eventsPage } from './docs-events.ts';
import { configPage, errorsPage, metricsPage } from './docs-reference.ts';

/** Pages made from the code, by the name of their file in docs/. */
export async function pages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['CONFIG.md', configPage()],
    ['ERRORS.md', errorsPage()],
    ['EVENTS.md', eventsPage()],
    ['METRICS.md', await metricsPage()],
  ]);
}

/** Where a page lies. */
export function placeOf(name: string): URL {
  return new URL(`../docs/${name}`, import.meta.url);
}

/** `--write` writes the pages; `--check` fails where one is not what the code says. */
async function main(mode: string | undefined): Promise<void> {
  for (const [name, text] of await pages()) {
    if (mode === '--write') await writeFile(placeOf(name), text);
    else if ((await readFile(placeOf(name), 'utf8').catch(() => '')) !== text) {
      console.error(`docs/${name} is out of step: npx tsx scripts/docs.ts --write`);
      process.exitCode = 1;
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv[2]);
