import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { measureMemory } from './memory-run.ts';

/*
 * Resident memory of a daemon while a large file passes through it, and with many small tasks in its cache.
 *   npm run bench:memory -- --size 2GiB --tasks 10000 [--json]
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2GiB' },
    tasks: { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
  },
});

const report = await measureMemory(parseBytes(values.size), Number(values.tasks));
if (values.json) console.log(JSON.stringify(report));
else {
  console.log(
    tableOf([
      ['resident memory of a daemon', ''],
      ['nothing cached, just started', formatBytes(report.emptyBytes)],
      [
        `${formatBytes(report.bytes)} in from the origin and out to a host: peak`,
        formatBytes(report.passingPeakBytes),
      ],
      [`${formatBytes(report.bytes)} in from a host: peak`, formatBytes(report.receivingPeakBytes)],
      [`${report.smallTasks} small tasks cached, at rest`, formatBytes(report.atRestBytes)],
      ['the same while one of them is fetched: peak', formatBytes(report.servingPeakBytes)],
    ]),
  );
  console.log(`\nstarted with ${report.smallTasks} tasks in ${(report.startMs / 1000).toFixed(2)} s`);
}
