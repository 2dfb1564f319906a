import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { median } from '../test/support/figures.ts';

/** Where the measurements lie that docs/MEASUREMENTS.md is made from. */
export const MEASUREMENTS_DIR = fileURLToPath(new URL('../docs/measurements/', import.meta.url));

const figureSchema = z.strictObject({
  name: z.string(),
  /** `ratio` and `copies` have no unit. */
  unit: z.enum(['ratio', 'copies', 's', 'ms', 'µs', 'CPU s', 'MiB', 'share']),
  /** What is absent was not told by the note that the figure was taken from; a bench tells all. */
  median: z.number().optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  runs: z.int().min(1).optional(),
});
/** One figure of a measurement, over its runs. */
export type Figure = z.infer<typeof figureSchema>;

/** One file of docs/measurements/: one command, run once, on one machine. */
export const measurementSchema = z.strictObject({
  title: z.string(),
  command: z.string(),
  date: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  commit: z.string(),
  machine: z.strictObject({
    cores: z.int().min(1),
    cpu: z.string().optional(),
    memoryGib: z.number().optional(),
    kernel: z.string().optional(),
    node: z.string().optional(),
  }),
  /** What else the figures depend on, a phrase each. */
  conditions: z.array(z.string()),
  figures: z.array(figureSchema).min(1),
  /** Where the figures are from, if a bench did not write them itself. */
  note: z.string().optional(),
});
export type Measurement = z.infer<typeof measurementSchema>;

/** A figure from what each run gave. */
export function figureOf(name: string, unit: Figure['unit'], values: readonly number[]): Figure {
  const round = (value: number) => Number(value.toPrecision(4));
  return {
    name,
    unit,
    median: round(median(values)),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    runs: values.length,
  };
}

/**
 * Writes a measurement with what is known of this machine.
 * @param target name of a file in docs/measurements/ without its ending, or a path that ends with .json; absent: nothing is written
 */
export function record(
  target: string | undefined,
  measured: Pick<Measurement, 'title' | 'conditions' | 'figures'>,
): void {
  if (target === undefined) return;
  const [first] = cpus();
  const { title, conditions, figures } = measured;
  const measurement: Measurement = {
    title,
    command: command(),
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: {
      cores: cpus().length,
      cpu: first?.model.trim() ?? 'unknown',
      memoryGib: Number((totalmem() / 1024 ** 3).toFixed(1)),
      kernel: release(),
      node: process.versions.node,
    },
    conditions: [...conditions, output('nats-server', '--version')],
    figures,
  };
  const path = target.endsWith('.json') ? target : `${MEASUREMENTS_DIR}${target}.json`;
  writeFileSync(path, `${JSON.stringify(measurementSchema.parse(measurement), null, 2)}\n`);
  console.error(`recorded in ${path}; npm run measurements makes the page`);
}

/** The commit of the code; `-dirty` where the code is not as committed. What is recorded does not count. */
function commit(): string {
  const changed = output('git', 'status', '--porcelain', '--untracked-files=no', '--', ':/', ':!/docs');
  return `${output('git', 'rev-parse', '--short=7', 'HEAD')}${changed === '' ? '' : '-dirty'}`;
}

/** The command that was given, without where to record. */
function command(): string {
  const flags = process.argv.slice(2).filter((flag, index, all) => {
    return !flag.startsWith('--record') && all[index - 1] !== '--record';
  });
  const congestion = process.env['NETLAB_TCP'];
  const setting = congestion === undefined ? '' : `NETLAB_TCP=${congestion} `;
  const script = basename(process.argv[1] ?? '', '.ts');
  return `${setting}npm run bench:${script}${flags.length === 0 ? '' : ` -- ${flags.join(' ')}`}`;
}

function output(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return `${program} unknown`;
  }
}
