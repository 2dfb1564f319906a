import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { measureNetlab, type NetlabRun } from './netlab-run.ts';
import { figureOf, record } from './record.ts';

/*
 * One file to N hosts at once over shaped links, against one curl in the same lab. Needs root.
 *   npm run bench:netlab -- --hosts 8 --rate 50mbit --size 128MiB --runs 3 [--digest] [--json] [--record NAME]
 * NETLAB_TCP=bbr gives the lab's hosts another congestion control than Linux's own.
 */
const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '8' },
    rate: { type: 'string', default: '50mbit' },
    size: { type: 'string', default: '128MiB' },
    runs: { type: 'string', default: '3' },
    digest: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});

const hosts = Number(values.hosts);
const bytes = parseBytes(values.size);
const figures = (name: string, of: NetlabRun) => [
  name,
  of.curlSeconds.toFixed(2),
  of.makespanSeconds.toFixed(2),
  of.medianSeconds.toFixed(2),
  of.ratio.toFixed(3),
  of.medianRatio.toFixed(3),
  of.originCopies.toFixed(3),
];

const report = await measureNetlab({
  hosts,
  rate: values.rate,
  bytes,
  runs: Number(values.runs),
  digest: values.digest,
  onRun: (run) => {
    if (!values.json) console.error(`  ${figures('run', run).join('  ')}`);
  },
});

const over = (of: (run: NetlabRun) => number) => report.runs.map(of);
record(values.record, {
  title: `${hosts} hosts fetch one file of ${formatBytes(bytes)} at once, beside one curl in the same lab`,
  conditions: [`links of ${values.rate} each way, TCP ${report.congestion}, no seed`],
  figures: [
    figureOf(
      'last file',
      'ratio',
      over(({ ratio }) => ratio),
    ),
    figureOf(
      'median host',
      'ratio',
      over(({ medianRatio }) => medianRatio),
    ),
    figureOf(
      'from the origin',
      'copies',
      over(({ originCopies }) => originCopies),
    ),
    figureOf(
      'one curl',
      's',
      over(({ curlSeconds }) => curlSeconds),
    ),
    figureOf(
      'last file',
      's',
      over(({ makespanSeconds }) => makespanSeconds),
    ),
  ],
});
if (values.json) console.log(JSON.stringify(report));
else {
  const head = ['run', 'curl s', 'last file s', 'median host s', 'last/curl', 'median/curl', 'origin copies'];
  console.log(
    `${hosts} hosts at once, ${formatBytes(bytes)}, ${values.rate} each way, ${report.congestion}, no seed\n`,
  );
  console.log(tableOf([head, ...report.runs.map((run, index) => figures(String(index + 1), run))]));
  console.log(
    `\nmedian of the runs: last file ${report.ratio.toFixed(3)}, median host ${report.medianRatio.toFixed(3)} of one curl`,
  );
}
