import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { median, tableOf } from '../test/support/figures.ts';
import { KINDS } from './flood-kinds.ts';
import { type FloodReport, measureFlood } from './flood-run.ts';
import { figureOf, record } from './record.ts';

/*
 * One host floods: a scheduler's memory, and the downloads of others beside those without a flood.
 *   npm run bench:flood -- [--kinds syncs,holdings] [--each] [--seconds 60] [--size 64MiB] [--json] [--record NAME]
 * All kinds of bench/flood-kinds.ts at once unless named; with --each one after the other, in a swarm of its own.
 * Fails where the scheduler needs 300 MiB or more, or where others' downloads take more than 1.5 times as long.
 */
const MOST_BYTES = 300 * 1024 ** 2;
const MOST_RATIO = 1.5;

const { values } = parseArgs({
  options: {
    kinds: { type: 'string', default: Object.keys(KINDS).join(',') },
    each: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '60' },
    size: { type: 'string', default: '64MiB' },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});

const kinds = values.kinds.split(',');
for (const together of values.each ? kinds.map((kind) => [kind]) : [kinds]) {
  const report = await measureFlood(Number(values.seconds), parseBytes(values.size), together);
  tell(report);
  if (report.floodedPeakBytes >= MOST_BYTES || report.ratio > MOST_RATIO) process.exitCode = 1;
}

function tell(report: FloodReport): void {
  const { ratio, floodedPeakBytes, quietPeakBytes, quietSeconds, floodedSeconds } = report;
  record(values.record, {
    title: `A host that floods for ${report.seconds} s: the scheduler, and others that fetch ${formatBytes(report.bytes)}`,
    conditions: [],
    figures: [
      figureOf('scheduler, resident before: peak', 'MiB', [quietPeakBytes / 1024 ** 2]),
      figureOf('scheduler, resident with the flood: peak', 'MiB', [floodedPeakBytes / 1024 ** 2]),
      figureOf('two downloads without the flood', 's', quietSeconds),
      figureOf('two downloads with the flood', 's', floodedSeconds),
      figureOf('with by without', 'ratio', [ratio]),
    ],
  });
  if (values.json) return console.log(JSON.stringify(report));
  const times = (seconds: readonly number[]) =>
    `${median(seconds).toFixed(2)} s (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}, ${seconds.length} runs)`;
  console.log(
    tableOf([
      ['one host floods', `${report.seconds} s: ${report.kinds.join(' ')}`],
      ['scheduler, resident before: peak', formatBytes(quietPeakBytes)],
      ['scheduler, resident with the flood: peak', formatBytes(floodedPeakBytes)],
      ['scheduler, CPU with the flood', `${report.schedulerCpuSeconds.toFixed(1)} s`],
      ['log lines of all daemons', String(report.logLines)],
      [`two downloads of ${formatBytes(report.bytes)} without`, times(quietSeconds)],
      ['with', times(floodedSeconds)],
      ['ratio', ratio.toFixed(2)],
    ]),
  );
  console.log(`\nthe flood: ${JSON.stringify(report.flood)}\n`);
}
