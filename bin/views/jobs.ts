import type { JobHost, JobRecord } from '../../core/jobs.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { factsText, tableText } from './tables.ts';

const NONE = '-';

/** Jobs, one a line. */
export function jobsText(rows: readonly JobRecord[], nowMs: number): string {
  if (rows.length === 0) return 'no jobs\n';
  return tableText(
    ['JOB', 'KIND', 'STATE', 'HOSTS', 'SIZE', 'AGE', 'WHAT', 'ERROR'],
    rows.map((job) => [
      job.id,
      job.request.schedule === undefined ? job.kind : `${job.kind}, ${job.request.schedule.cron}`,
      stateText(job),
      `${job.progress.succeeded}/${job.progress.hosts}`,
      formatBytes(job.progress.doneBytes),
      formatDuration(Math.max(0, nowMs - job.createdAtMs)),
      shortList(job.request.what),
      job.error === undefined ? '' : `${job.error.message} (${job.error.code})`,
    ]),
    [3, 4, 5],
  );
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

/** The hosts of a job, one a line. */
export function jobHostsText(rows: readonly JobHost[]): string {
  return tableText(
    ['HOST', 'NAME', 'IP', 'STATE', 'ITEMS', 'SIZE', 'FROM ORIGIN', 'FROM HOSTS', 'LOCAL', 'TIME', 'ERROR'],
    rows.map((host) => [
      host.hostId,
      host.name ?? NONE,
      host.ip,
      host.state,
      `${host.done}/${host.items}`,
      formatBytes(host.length),
      formatBytes(host.bytes.origin),
      formatBytes(host.bytes.peers),
      formatBytes(host.bytes.local),
      formatDuration(host.durationMs),
      reasonText(host),
    ]),
    [4, 5, 6, 7, 8, 9],
  );
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
