import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { measureLoopback, VARIANTS } from './loopback-run.ts';

/*
 * A lone host reads a file from one parent over loopback, against curl from nginx to the same file system.
 *   npm run bench:loopback -- --size 1GiB --runs 5 [--json]
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GiB' },
    runs: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});

const report = await measureLoopback(parseBytes(values.size), Number(values.runs));
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
