import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../core/units.ts';
import { tableOf } from '../test/support/figures.ts';
import { figureOf, record } from './record.ts';
import { measureCrowd, measureKill, measureRest } from './scale-run.ts';

/*
 * One real scheduler on a real nats-server, and thousands of light hosts in front of it.
 *   npm run bench:scale -- --only rest --hosts 10000 [--seconds 30]
 *   npm run bench:scale -- --only kill --hosts 1000 [--tasks 50]
 *   npm run bench:scale -- --only crowd --hosts 1000 [--busy 4] [--size 256MiB] [--mbit 100] [--within 50]
 * Each with [--json] [--record NAME]. SCALE_PROF=DIR writes a CPU profile of the scheduler.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'rest' },
    hosts: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '30' },
    tasks: { type: 'string', default: '50' },
    busy: { type: 'string', default: '0' },
    size: { type: 'string', default: '256MiB' },
    mbit: { type: 'string', default: '100' },
    within: { type: 'string', default: '50' },
    timeout: { type: 'string', default: '300' },
    json: { type: 'boolean', default: false },
    record: { type: 'string' },
  },
});

type Unit = 'CPU s' | 'MiB' | 'copies' | 'ms' | 'ratio' | 's' | 'share';
type Row = readonly [name: string, unit: Unit | 'count', value: number];

const hosts = Number(values.hosts);
const MIB = 1024 ** 2;

async function rest(): Promise<readonly Row[]> {
  const report = await measureRest(hosts, Number(values.seconds));
  return [
    ['hosts lost', 'count', report.hostsLost],
    ['hosts known at the end', 'count', report.hostsKnown],
    ['announcements not answered', 'count', report.unanswered],
    ['scheduler, of one core', 'share', report.scheduler],
    ['nats-server, of one core', 'share', report.nats],
    ['light hosts, of one core', 'share', report.hosts],
    ['scheduler, resident', 'MiB', report.schedulerBytes / MIB],
    ['light hosts themselves late, at most', 'ms', report.hostsLateMs],
  ];
}

async function kill(): Promise<readonly Row[]> {
  const report = await measureKill(hosts, Number(values.tasks));
  return [
    ['census', 's', report.censusSeconds],
    ['serving: a lease from a host', 's', report.servingSeconds],
    ['whole: all hosts and holdings known', 's', report.wholeSeconds],
    ['hosts lost', 'count', report.hostsLost],
    ['announcements not answered', 'count', report.unanswered],
    ['scheduler until whole', 'CPU s', report.schedulerCpuSeconds],
    ['scheduler, resident', 'MiB', report.schedulerBytes / MIB],
    ['light hosts themselves late, at most', 'ms', report.hostsLateMs],
  ];
}

async function crowd(): Promise<readonly Row[]> {
  const report = await measureCrowd({
    hosts,
    bytes: parseBytes(values.size),
    linkBytesPerSec: (Number(values.mbit) * 1e6) / 8,
    busyLoops: Number(values.busy),
    withinMs: Number(values.within),
    timeoutMs: Number(values.timeout) * 1000,
  });
  return [
    ['done', 'count', report.done],
    ['last host', 's', report.seconds],
    ['by one link', 'ratio', report.ratio],
    ['from the origin', 'copies', report.copies],
    ['hosts lost', 'count', report.hostsLost],
    ['adrift', 'count', report.adrift],
    ['syncs', 'count', report.syncs],
    ['syncs asked to wait', 'count', report.waits],
    ['syncs not answered', 'count', report.unanswered],
    ...Object.entries(report.refusals).map(([code, count]): Row => [`  ${code}`, 'count', count]),
    ['answer, median', 'ms', report.answerMs.median],
    ['answer, of a hundred the latest', 'ms', report.answerMs.late],
    ['answer, the latest', 'ms', report.answerMs.most],
    ['scheduler, of one core', 'share', report.scheduler],
    ['nats-server, of one core', 'share', report.nats],
    ['light hosts, of one core', 'share', report.hosts],
    ['scheduler, resident', 'MiB', report.schedulerBytes / MIB],
    ['light hosts themselves late, at most', 'ms', report.hostsLateMs],
  ];
}

const SCENES = { rest, kill, crowd } as const;
const TITLES = {
  rest: `${hosts} hosts at rest, ${values.seconds} s`,
  kill: `the scheduler killed under ${hosts} hosts of ${values.tasks} tasks`,
  crowd: `${hosts} hosts want ${formatBytes(parseBytes(values.size))} at once, ${values.mbit} Mbit/s, beside ${values.busy} busy loops`,
} as const;

function isScene(name: string): name is keyof typeof SCENES {
  return Object.hasOwn(SCENES, name);
}

if (!isScene(values.only)) throw new Error(`no such scene: ${values.only}`);
const rows = await SCENES[values.only]();
record(values.record, {
  title: TITLES[values.only],
  conditions: ['light hosts, the scheduler and nats-server share the machine'],
  figures: rows.flatMap(([name, unit, value]) => (unit === 'count' ? [] : [figureOf(name, unit, [value])])),
});
if (values.json)
  console.log(JSON.stringify(Object.fromEntries(rows.map(([name, , value]) => [name, value]))));
else {
  const table = rows.map(([name, unit, value]) => [
    name,
    Number(value.toPrecision(4)).toString(),
    unit === 'count' ? '' : unit,
  ]);
  console.log(tableOf([[TITLES[values.only], '', ''], ...table]));
}
process.exit(0);
