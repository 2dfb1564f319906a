import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { type LoopbackSample, measureLoopback, VARIANTS } from './loopback-run.ts';
import { figureOf, record } from './record.ts';

/*
 * A lone host reads a file from one parent over loopback, against curl from nginx to the same file system.
 *   npm run bench:loopback -- --size 1GiB --runs 5 [--json] [--record NAME]
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GiB' },
    runs: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});

const report = await measureLoopback(parseBytes(values.size), Number(values.runs));
const MIB = 1024 ** 2;
record(values.record, {
  title: `A lone host reads ${formatBytes(report.bytes)} from one parent over loopback, beside curl to a file from nginx`,
  conditions: ['the rate is of the median of curl: more is better'],
  figures: VARIANTS.flatMap((variant) => {
    const over = (of: (sample: LoopbackSample) => number) => report.samples[variant].map(of);
    return [
      figureOf(
        `${variant}: rate`,
        'ratio',
        over(({ seconds }) => report.curlSeconds / seconds),
      ),
      figureOf(
        `${variant}: time`,
        's',
        over(({ seconds }) => seconds),
      ),
      figureOf(
        `${variant}: child`,
        'CPU s',
        over(({ childCpuSeconds }) => childCpuSeconds),
      ),
      figureOf(
        `${variant}: parent`,
        'CPU s',
        over(({ parentCpuSeconds }) => parentCpuSeconds),
      ),
      figureOf(
        `${variant}: child, peak`,
        'MiB',
        over(({ childPeakBytes }) => childPeakBytes / MIB),
      ),
    ];
  }),
});
if (values.json) console.log(JSON.stringify(report));
else {
  const perGib = (seconds: number) => ((seconds * 1024 ** 3) / report.bytes).toFixed(2);
  const rows = VARIANTS.map((variant) => {
    const of = report.variants[variant];
    return [
      `shoal get, ${variant}`,
      of.seconds.toFixed(2),
      of.rateOfCurl.toFixed(2),
      of.wallSeconds.toFixed(2),
      of.wallRateOfCurl.toFixed(2),
      perGib(of.childCpuSeconds),
      perGib(of.parentCpuSeconds),
      formatBytes(of.childPeakBytes),
      formatBytes(of.parentPeakBytes),
    ];
  });
  const curl = report.curlSeconds.toFixed(2);
  console.log(`${formatBytes(report.bytes)} over loopback, one parent, medians of ${report.runs}\n`);
  console.log(
    tableOf([
      ['', 's', '× curl', 'process s', '× curl', 'child CPU s/GiB', 'parent', 'child peak', 'parent'],
      ['curl -o FILE from nginx', curl, '1.00', curl, '1.00', '', '', '', ''],
      ...rows,
    ]),
  );
  console.log('\n× curl is the rate: more is better. CPU and peaks are of the daemons.');
}
