import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { measureDataPlane } from './loopback-dataplane-run.ts';

/*
 * The data plane alone: one parent process, one child process, loopback, against curl from nginx.
 *   npx tsx bench/loopback-dataplane.ts --size 1GiB --runs 5 --parallel 4,8,12 [--encrypted] [--json]
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '1GiB' },
    runs: { type: 'string', default: '5' },
    parallel: { type: 'string', default: '4,8,12' },
    json: { type: 'boolean', default: false },
    encrypted: { type: 'boolean', default: false },
  },
});

const parallel = values.parallel.split(',').map(Number);
const report = await measureDataPlane(
  parseBytes(values.size),
  Number(values.runs),
  parallel,
  values.encrypted,
);
if (values.json) console.log(JSON.stringify(report));
else {
  console.log(`${formatBytes(report.bytes)} over loopback, medians of ${report.runs}\n`);
  const rows = report.figures.map((of) => [
    `${of.parallel} transfers`,
    of.seconds.toFixed(2),
    (report.curlSeconds / of.seconds).toFixed(2),
    of.childCpuSeconds.toFixed(2),
    of.parentCpuSeconds.toFixed(2),
    formatBytes(of.childPeakBytes),
  ]);
  console.log(
    tableOf([
      ['', 's', '× curl', 'child CPU s', 'parent CPU s', 'child peak'],
      ['curl -o FILE from nginx', report.curlSeconds.toFixed(2), '1.00', '', '', ''],
      ...rows,
    ]),
  );
}
