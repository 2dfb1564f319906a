import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { median, tableOf } from '../test/support/figures.ts';
import { measureFlood } from './flood-run.ts';
import { figureOf, record } from './record.ts';

/*
 * One host floods: a scheduler's memory, and the downloads of others beside those without a flood.
 *   npm run bench:flood -- [--seconds 60] [--size 64MiB] [--json] [--record NAME]
 * Fails where the scheduler needs 300 MiB or more, or where others' downloads take more than 1.5 times as long.
 */
const MOST_BYTES = 300 * 1024 ** 2;
const MOST_RATIO = 1.5;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    size: { type: 'string', default: '64MiB' },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});

const report = await measureFlood(Number(values.seconds), parseBytes(values.size));
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
if (values.json) console.log(JSON.stringify(report));
else {
  const times = (seconds: readonly number[]) =>
    `${median(seconds).toFixed(2)} s (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}, ${seconds.length} runs)`;
  console.log(
    tableOf([
      ['one host floods', `${report.seconds} s`],
      ['scheduler, resident before: peak', formatBytes(quietPeakBytes)],
      ['scheduler, resident with the flood: peak', formatBytes(floodedPeakBytes)],
      ['scheduler, CPU with the flood', `${report.schedulerCpuSeconds.toFixed(1)} s`],
      ['log lines of all daemons', String(report.logLines)],
      [`two downloads of ${formatBytes(report.bytes)} without`, times(quietSeconds)],
      ['with', times(floodedSeconds)],
      ['ratio', ratio.toFixed(2)],
    ]),
  );
  console.log(`\nthe flood: ${JSON.stringify(report.flood)}`);
}
if (floodedPeakBytes >= MOST_BYTES || ratio > MOST_RATIO) process.exitCode = 1;
