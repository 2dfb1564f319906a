import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { median, tableOf } from '../test/support/figures.ts';
import { FORTY, measureFirstByte, measureLone, measureMany, TWELVE } from './image-run.ts';
import { type Figure, figureOf, record } from './record.ts';

/*
 * Images through the registry mirror, against the registry itself, over shaped links. Needs root.
 * What fetches is `ctr --debug content fetch`: `--debug` leaves out the progress bar, which asks ten times a second how far
 * each blob is.
 *   npm run bench:image -- [--only first,lone,many,small] [--runs 3] [--hosts 8] [--rate 50mbit] [--warm 0] [--json] [--record NAME]
 * `--warm N`: many and small are measured with daemons that pulled N other such images before, not with ones just started.
 * `--record NAME` writes one file a measurement, NAME-first and so on where there are several.
 * NETLAB_TCP as for bench:netlab.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'first,lone,many,small' },
    runs: { type: 'string', default: '3' },
    hosts: { type: 'string', default: '8' },
    rate: { type: 'string', default: '50mbit' },
    warm: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});
const runs = Number(values.runs);
const hosts = Number(values.hosts);
const warm = Number(values.warm);
const names = values.only.split(',');
const report: Record<string, unknown> = {};

/** Prints one measurement, and records it where that is asked for: a table of its runs, and what it comes to. */
function show<T extends object>(
  name: string,
  title: string,
  results: readonly T[],
  sum: string,
  figures: readonly Figure[],
): void {
  report[name] = results;
  const target = values.record !== undefined && names.length > 1 ? `${values.record}-${name}` : values.record;
  record(target, { title, conditions: ['by `ctr --debug content fetch`'], figures: [...figures] });
  if (values.json) return;
  const heads = Object.keys(results[0] ?? {});
  const cells = (one: T) =>
    Object.values(one).map((value) => (typeof value === 'number' ? value.toFixed(3) : String(value)));
  const rows = results.map((one, index) => [String(index + 1), ...cells(one)]);
  console.log(`\n${title}\n\n${tableOf([['run', ...heads], ...rows])}\n\n${sum}`);
}

const of = <T>(results: readonly T[], figure: (one: T) => number) => median(results.map(figure)).toFixed(3);

const over = <T>(results: readonly T[], name: string, unit: Figure['unit'], figure: (one: T) => number) =>
  figureOf(name, unit, results.map(figure));

for (const name of names) {
  if (name === 'first') {
    const results = await measureFirstByte(runs);
    const sum = `median: straight ${of(results, (one) => one.straightMs)} ms, mirror ${of(results, (one) => one.mirrorMs)} ms; bound 1.5 times and 50 ms`;
    show(name, 'First byte of a blob of 200 MiB, cold, 200 Mbit/s', results, sum, [
      over(results, 'straight from the registry', 'ms', (one) => one.straightMs),
      over(results, 'through the mirror', 'ms', (one) => one.mirrorMs),
    ]);
  } else if (name === 'lone') {
    const results = await measureLone(runs);
    const sum = `median of straight: cold ${of(results, (one) => one.coldRatio)} (bound 1.15), warm ${of(results, (one) => one.warmRatio)} (bound 1)`;
    show(name, 'One lone host, image of 210 MiB, ctr content fetch, 200 Mbit/s', results, sum, [
      over(results, 'cold', 'ratio', (one) => one.coldRatio),
      over(results, 'a second time', 'ratio', (one) => one.warmRatio),
      over(results, 'from the registry', 'copies', (one) => one.copies),
      over(results, 'straight from the registry', 's', (one) => one.straightSeconds),
    ]);
  } else if (name === 'many' || name === 'small') {
    const layers = name === 'many' ? TWELVE : FORTY;
    const results = await measureMany({ hosts, rate: values.rate, layers, runs, warm });
    const worst = Math.max(...results.map((one) => one.copies)).toFixed(3);
    const sum = `median: last host ${of(results, (one) => one.ratio)} of one plain fetch (bound 1.3), at most ${worst} copies (bound 1.01)
the machine's ${availableParallelism()} cores were busy for ${of(results, (one) => one.busy)} of that time`;
    const what = name === 'many' ? '12 layers of 1 to 40 MiB' : '40 blobs of 64 KiB to 1 MiB';
    const before = warm === 0 ? 'daemons just started' : `daemons that pulled ${warm} others before`;
    const title = `${hosts} hosts at once, image of ${what}, ctr content fetch, ${values.rate}, ${before}`;
    show(name, title, results, sum, [
      over(results, 'last host', 'ratio', (one) => one.ratio),
      over(results, 'from the registry', 'copies', (one) => one.copies),
      over(results, 'one plain fetch', 's', (one) => one.straightSeconds),
      over(results, 'the cores were busy', 'share', (one) => one.busy),
      over(results, 'Shoal', 'CPU s', (one) => one.shoalCpuSeconds),
      over(results, 'clients, registry and kernel', 'CPU s', (one) => one.restCpuSeconds),
    ]);
  } else {
    console.error(`there is no measurement ${name}; one of first, lone, many, small`);
    process.exitCode = 2;
  }
}
if (values.json) console.log(JSON.stringify(report));
