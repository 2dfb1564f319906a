import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../docs/decisions/', import.meta.url));

/** The decisions by the name of their file, in order, each with its text. */
export function decisions(): ReadonlyMap<string, string> {
  const files = readdirSync(FOLDER)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .sort();
  return new Map(files.map((file) => [file, readFileSync(`${FOLDER}${file}`, 'utf8')]));
}

/** docs/decisions/README.md. */
export function decisionsPage(): string {
  const rows = [...decisions()].map(([file, text]) => {
    const [, number = '', title = ''] = /^# (\d{3}) (.+)$/m.exec(text) ?? [];
    return `| ${number} | [${title}](${file}) |`;
  });
  return `# Decisions

Why something is as it is, where one could ask. Each page is short: what the question was, what was chosen, what was
measured, where it is in the code. Figures are from the time of the decision; those of today are in
[MEASUREMENTS.md](../MEASUREMENTS.md).

A new one takes the next free number, has the four parts of the others and at most 15 lines. Then
\`npx tsx scripts/docs.ts --write\` makes this list anew.

| | |
| --- | --- |
${rows.join('\n')}
`;
}
