import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, MEASUREMENTS_DIR, type Measurement, measurementSchema } from '../bench/record.ts';

const INTRO = `# Measurements

Each table is one run of one command on one machine. Made by \`npm run measurements\` from the files in
\`docs/measurements/\`; a test keeps it in step. A bench writes such a file with \`--record NAME\`:

\`\`\`sh
npm run bench:netlab -- --hosts 8 --record netlab-8   # writes docs/measurements/netlab-8.json
npm run measurements                                  # makes this page anew
\`\`\`

- *Ratio* is Shoal's time over the time of the plain tool (curl, or the registry itself) in the same place: 1.00 is as fast.
  A ratio that is called *rate* is the other way round: more is better.
- *Copies* are the bytes that the origin sent over the length of the content: 1.000 is once.
- An empty cell was not told by the note that the figures were taken from.
- The labs emulate all hosts and links on the cores of one machine. Where these are full, the figures are theirs.
`;

/** Reads every measurement, by the name of its file. @throws ZodError where one is not in the form of the schema */
export function measurements(dir: string = MEASUREMENTS_DIR): ReadonlyMap<string, Measurement> {
  const files = readdirSync(dir)
    .filter((file) => file.endsWith('.json'))
    .sort();
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(dir, file), 'utf8');
      return [file.replace(/\.json$/, ''), measurementSchema.parse(JSON.parse(text))];
    }),
  );
}

/** docs/MEASUREMENTS.md. */
export function measurementsPage(all: ReadonlyMap<string, Measurement> = measurements()): string {
  const sections = [...all].map(([name, measurement]) => section(name, measurement));
  return `${INTRO}\n${sections.join('\n')}`;
}

function section(name: string, { title, command, date, commit, ...rest }: Measurement): string {
  const { machine, conditions, figures, note } = rest;
  const { cores, cpu, memoryGib, kernel, node } = machine;
  const parts = [
    `${cores} cores${cpu === undefined ? '' : ` (${cpu})`}`,
    ...(memoryGib === undefined ? [] : [`${memoryGib} GiB`]),
    ...(kernel === undefined ? [] : [`Linux ${kernel}`]),
    ...(node === undefined ? [] : [`Node ${node}`]),
  ];
  const rows = figures.map((figure) => `| ${cells(figure).join(' | ')} |`);
  return [
    `## ${name}`,
    '',
    `${title}.`,
    '',
    '| what | median | least | most | runs |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    `- Command: \`${command}\`, on ${date} at commit \`${commit}\``,
    `- Machine: ${parts.join(', ')}`,
    ...conditions.map((condition) => `- ${condition}`),
    ...(note === undefined ? [] : [`- Note: ${note}`]),
    '',
  ].join('\n');
}

function cells({ name, unit, median, min, max, runs }: Figure): string[] {
  const withUnit = unit === 'ratio' || unit === 'copies' || unit === 'share' ? '' : ` ${unit}`;
  const text = (value: number | undefined) =>
    value === undefined ? '' : `${formatted(value, unit)}${withUnit}`;
  return [name, text(median), text(min), text(max), runs === undefined ? '' : String(runs)];
}

function formatted(value: number, unit: Figure['unit']): string {
  if (unit === 'copies') return value.toFixed(3);
  if (unit === 'ratio')
    return value.toFixed(2).length < String(value).length ? value.toFixed(3) : value.toFixed(2);
  return String(Number(value.toPrecision(3)));
}
