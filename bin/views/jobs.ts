import type { JobHost, JobRecord } from '../../core/jobs.ts';
import { shownId } from '../../core/short-id.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { type ListColumn, type ListView, listText } from './list.ts';
import { factsText, printable } from './tables.ts';
import { wrapText } from './wrap.ts';

const NONE = '-';

/** Jobs, one a line. */
export function jobsText(rows: readonly JobRecord[], view: ListView, nowMs: number): string {
  if (rows.length === 0) return 'no jobs\n';
  const ageOf = ({ createdAtMs }: JobRecord) => Math.max(0, nowMs - createdAtMs);
  const columns: readonly ListColumn<JobRecord>[] = [
    { title: 'JOB', cell: ({ id }) => shownId(id) },
    { title: 'ID', cell: ({ id }) => id, wide: true },
    {
      title: 'KIND',
      cell: ({ kind, request: { schedule } }) =>
        schedule === undefined ? kind : `${kind}, ${schedule.cron}`,
    },
    { title: 'STATE', cell: stateText },
    { title: 'HOSTS', cell: ({ progress: { succeeded, hosts } }) => `${succeeded}/${hosts}`, right: true },
    {
      title: 'SIZE',
      cell: ({ progress: { doneBytes } }) => formatBytes(doneBytes),
      value: ({ progress: { doneBytes } }) => doneBytes,
      right: true,
    },
    { title: 'AGE', cell: (job) => formatDuration(ageOf(job)), value: ageOf, right: true },
    { title: 'WHAT', cell: ({ request: { what } }) => shortList(what), cut: true },
    { title: 'ERROR', cell: ({ error }) => (error ? `${error.message} (${error.code})` : ''), cut: true },
  ];
  return listText(columns, rows, view);
}

/** One job, for people. */
export function jobText(job: JobRecord, nowMs: number): string {
  const { request, progress, schedule, error, startedAtMs, endedAtMs } = job;
  const { bytes } = progress;
  return factsText([
    ['job', job.id],
    ['kind', job.kind],
    ['state', stateText(job)],
    ['what', request.what.join(' ')],
    ...facts('stands for', job.resolved?.join(' ')),
    ...facts('asked by', job.by),
    ...facts('of the schedule', job.parent),
    ['asked', timeText(job.createdAtMs)],
    ...facts('begun', startedAtMs === undefined ? undefined : timeText(startedAtMs)),
    ...facts('ended', endedAtMs === undefined ? undefined : timeText(endedAtMs)),
    ...facts(
      'took',
      startedAtMs === undefined ? undefined : formatDuration((endedAtMs ?? nowMs) - startedAtMs),
    ),
    ...facts('copies', request.pin === undefined ? undefined : String(request.pin.copies)),
    ...facts('until', request.pin?.untilMs === undefined ? undefined : timeText(request.pin.untilMs)),
    ...facts('cron', request.schedule?.cron),
    ...facts('fires next', schedule?.nextAtMs === undefined ? undefined : timeText(schedule.nextAtMs)),
    ...facts('fired', schedule === undefined ? undefined : String(schedule.fired)),
    ['hosts', `${progress.succeeded} of ${progress.hosts}, ${progress.failed} failed`],
    ['bytes', `${formatBytes(progress.doneBytes)} of ${formatBytes(progress.length)}`],
    [
      'from',
      `${formatBytes(bytes.origin)} origins, ${formatBytes(bytes.peers)} hosts, ${formatBytes(bytes.local)} local`,
    ],
    ...facts('error', error === undefined ? undefined : `${error.message} (${error.code})`),
  ]);
}

const JOB_HOSTS: readonly ListColumn<JobHost>[] = [
  { title: 'HOST', cell: ({ hostId }) => shownId(hostId) },
  { title: 'NAME', cell: ({ name }) => name ?? NONE, cut: true },
  { title: 'IP', cell: ({ ip }) => ip, wide: true },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'ITEMS', cell: ({ done, items }) => `${done}/${items}`, right: true },
  { title: 'SIZE', cell: ({ length }) => formatBytes(length), right: true },
  { title: 'FROM ORIGIN', cell: ({ bytes }) => formatBytes(bytes.origin), right: true },
  { title: 'FROM HOSTS', cell: ({ bytes }) => formatBytes(bytes.peers), right: true },
  { title: 'LOCAL', cell: ({ bytes }) => formatBytes(bytes.local), right: true, wide: true },
  { title: 'TIME', cell: ({ durationMs }) => formatDuration(durationMs), right: true, wide: true },
  { title: 'ERROR', cell: reasonText, wide: true },
];

/** The hosts of a job, one a line, and below what went wrong on which. */
export function jobHostsText(rows: readonly JobHost[]): string {
  const wrong = rows
    .filter((host) => reasonText(host) !== '')
    .map((host) => wrapText(printable(`${shownId(host.hostId)}: ${reasonText(host)}`), 2));
  return `${listText(JOB_HOSTS, rows, { wide: false })}${wrong.length === 0 ? '' : `\n${wrong.join('')}`}`;
}

/** `2 of 6: registry.example refuses with 401 (ERR_SOURCE_REFUSED)`; empty where all went well. */
function reasonText({ error, failures, failed, items }: JobHost): string {
  if (error !== undefined) return `${error.message} (${error.code})`;
  const [first] = failures;
  return first === undefined ? '' : `${failed} of ${items}: ${first.message} (${first.code})`;
}

function stateText({ state, cancelling }: JobRecord): string {
  return cancelling ? 'cancelling' : state;
}

function shortList([first = '', ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}

function facts(name: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[name, value]];
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString();
}
