import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { measureMemory } from './memory-run.ts';
import { figureOf, record } from './record.ts';

/*
 * Resident memory of a daemon while a large file passes through it, and with many small tasks in its cache.
 *   npm run bench:memory -- --size 2GiB --tasks 10000 [--json] [--record NAME]
 */
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2GiB' },
    tasks: { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});

const report = await measureMemory(parseBytes(values.size), Number(values.tasks));
const mib = (name: string, bytes: number) => figureOf(name, 'MiB', [bytes / 1024 ** 2]);
const size = formatBytes(report.bytes);
record(values.record, {
  title: `Resident memory of a daemon while ${size} pass through it, and with ${report.smallTasks} small tasks`,
  conditions: [],
  figures: [
    mib('nothing cached, just started', report.emptyBytes),
    mib(`${size} in from the origin and out to a host: peak`, report.passingPeakBytes),
    mib(`${size} in from a host: peak`, report.receivingPeakBytes),
    mib(`${report.smallTasks} small tasks cached, at rest`, report.atRestBytes),
    mib('the same while one of them is fetched: peak', report.servingPeakBytes),
    figureOf(`start with ${report.smallTasks} tasks`, 'ms', [report.startMs]),
  ],
});
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
