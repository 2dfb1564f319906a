import { checkedJob, type Jobs } from '../actors/jobs/client.ts';
import { withJobs } from '../app/job-client.ts';
import { ShoalError } from '../core/errors.ts';
import { parseJobWord } from '../core/job-words.ts';
import {
  isEnded,
  type JobHost,
  type JobKind,
  type JobRecord,
  type JobRequestInput,
  type JobState,
  type JobTargets,
} from '../core/jobs.ts';
import { parseLabel } from '../core/labels.ts';
import { formatPlatform, machinePlatform, parsePlatform } from '../core/oci-platform.ts';
import { formatDuration, parseDuration } from '../core/units.ts';
import { parseCount } from './count.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { stopAsked } from './stop.ts';
import { openJobProgress } from './views/job-progress.ts';
import { jobHostsText, jobsText, jobText } from './views/jobs.ts';
import { viewOf } from './views/list.ts';

/** The flags of `preheat`, `evict` and `pin`, as commander gives them. */
export interface JobFlags extends Readonly<Record<string, unknown>> {
  readonly platform?: string;
  readonly on?: string;
  readonly zone?: string;
  readonly label?: readonly string[];
  readonly count?: string;
  readonly percent?: string;
  readonly concurrency?: string;
  readonly priority?: string;
  readonly cron?: string;
  readonly timeZone?: string;
  readonly copies?: string;
  readonly zones?: string;
  readonly for?: string;
  readonly key?: string;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly json?: boolean;
}

/** The flags of `job ls`. */
export interface JobListFlags extends Readonly<Record<string, unknown>> {
  readonly kind?: JobKind;
  readonly state?: JobState;
  readonly schedule?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

/** Runs `preheat`, `evict` or `pin`. @throws ERR_JOB_FAILED where it is waited for and failed, any ShoalError */
export async function runJob(kind: JobKind, what: readonly string[], flags: JobFlags): Promise<void> {
  for (const word of what) parseJobWord(word);
  const request = checkedJob(requestOf(kind, what, flags));
  const timeoutMs = flags.timeout === undefined ? undefined : parseDuration(flags.timeout);
  await inTime(timeoutMs, flags, async (jobs, signal) => {
    const { job } = await jobs.create(request, { idempotencyKey: flags.key });
    if (flags.wait === true && job.request.schedule === undefined) return follow(jobs, job.id, flags, signal);
    const text = `job ${job.id} ${job.state}\n`;
    await print(flags.json ? `${JSON.stringify({ job }, null, 2)}\n` : text);
  });
}

/** Runs `job ls`. */
export function runJobLs(flags: JobListFlags): Promise<void> {
  const { kind, state, schedule, limit = Number.POSITIVE_INFINITY, json } = flags;
  return withJobs(inputOf(flags), async (jobs) => {
    const rows: JobRecord[] = [];
    const filter = {
      ...(kind !== undefined && { kind }),
      ...(state !== undefined && { state }),
      ...(schedule !== undefined && { parent: (await jobs.show(schedule.toLowerCase())).id }),
    };
    for (let after: string | undefined; rows.length < limit; ) {
      const page = await jobs.list({ ...filter, ...(after !== undefined && { after }) });
      rows.push(...page.rows);
      if (page.next === undefined) break;
      after = page.next;
    }
    const shown = rows.slice(0, limit);
    await print(json ? `${JSON.stringify(shown, null, 2)}\n` : jobsText(shown, viewOf(flags), Date.now()));
  });
}

/** Runs `job show`. */
export function runJobShow(id: string, flags: JobFlags): Promise<void> {
  return withJobs(inputOf(flags), async (jobs) => show(jobs, await jobs.show(idOf(id)), flags));
}

/** Runs `job watch`. @throws ERR_JOB_FAILED, ERR_JOB_CANCELLED */
export function runJobWatch(id: string, flags: JobFlags): Promise<void> {
  const timeoutMs = flags.timeout === undefined ? undefined : parseDuration(flags.timeout);
  return inTime(timeoutMs, flags, (jobs, signal) => follow(jobs, idOf(id), flags, signal));
}

/** Runs `job cancel`: it has ended when this returns. */
export function runJobCancel(id: string, flags: JobFlags): Promise<void> {
  return withJobs(inputOf(flags), async (jobs) => {
    let job = await jobs.cancel(idOf(id));
    if (!isEnded(job.state)) for await (const now of jobs.watch(job.id)) job = now;
    const text = `job ${job.id} ${job.state}\n`;
    await print(flags.json ? `${JSON.stringify({ job }, null, 2)}\n` : text);
  });
}

/** Until it is over; a pin until it holds. @throws ERR_JOB_FAILED, ERR_JOB_CANCELLED, ERR_PIN_SHORT */
async function follow(jobs: Jobs, id: string, flags: JobFlags, signal: AbortSignal): Promise<void> {
  const view = openJobProgress(process.stderr);
  let job: JobRecord | undefined;
  try {
    for await (const now of jobs.watch(id, signal)) {
      job = now;
      view.update(now);
      if (isHeld(now)) break;
    }
  } catch (error) {
    if (!signal.aborted || job === undefined) throw error;
  } finally {
    view.stop();
  }
  if (job === undefined) return;
  await show(jobs, job, flags);
  signal.throwIfAborted();
  const { state, error } = job;
  if (state === 'cancelled') throw new ShoalError('ERR_JOB_CANCELLED', `job ${id} was cancelled`);
  if (error !== undefined) throw new ShoalError('ERR_JOB_FAILED', `${error.message} (${error.code})`);
}

/** Whether a pin has come to rest: it holds, or says what keeps it. */
function isHeld({ kind, state, progress, error, items }: JobRecord): boolean {
  const { hosts, succeeded, failed } = progress;
  if (kind !== 'pin' || state !== 'running' || items === undefined) return false;
  return error !== undefined || (hosts > 0 && succeeded + failed >= hosts);
}

async function show(jobs: Jobs, job: JobRecord, flags: JobFlags): Promise<void> {
  const hosts: JobHost[] = [];
  for (let after: string | undefined; ; ) {
    const page = await jobs.hosts(job.id, after === undefined ? {} : { after });
    hosts.push(...page.rows);
    if (page.next === undefined) break;
    after = page.next;
  }
  const text = `${jobText(job, Date.now())}${hosts.length === 0 ? '' : `\n${jobHostsText(hosts)}`}`;
  await print(flags.json ? `${JSON.stringify({ job, hosts }, null, 2)}\n` : text);
}

async function inTime(
  timeoutMs: number | undefined,
  flags: JobFlags,
  run: (jobs: Jobs, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  void stopAsked().then(() =>
    stopping.abort(
      new ShoalError('ERR_CANCELLED', 'interrupted; the job goes on: `shoal job cancel` ends it'),
    ),
  );
  const late = () => {
    const message = `not done in ${formatDuration(timeoutMs ?? 0)}; the job goes on`;
    stopping.abort(new ShoalError('ERR_TIMEOUT', message));
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  try {
    await withJobs(inputOf(flags), (jobs) => run(jobs, stopping.signal), stopping.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Where these flags choose hosts, they say nothing of this one. */
function inputOf({ zone: _zone, label: _label, ...settings }: Readonly<Record<string, unknown>>) {
  return configInput(settings);
}

function requestOf(kind: JobKind, what: readonly string[], flags: JobFlags): JobRequestInput {
  const { platform, concurrency, priority, cron, timeZone, copies, zones, for: length } = flags;
  return {
    kind,
    what: [...what],
    targets: targetsOf(flags),
    platform: platformOf(platform),
    ...(concurrency !== undefined && { concurrency: parseCount('--concurrency', concurrency) }),
    ...(priority !== undefined && { priority: parseCount('--priority', priority) }),
    ...(cron !== undefined && { schedule: { cron, ...(timeZone !== undefined && { timeZone }) } }),
    ...(kind === 'pin' && {
      pin: {
        copies: copies === undefined ? 1 : parseCount('--copies', copies),
        ...(zones !== undefined && { zones: parseCount('--zones', zones) }),
        ...(length !== undefined && { untilMs: Date.now() + parseDuration(length) }),
      },
    }),
  };
}

function targetsOf({ on, zone, label = [], count, percent }: JobFlags): JobTargets {
  const names = on?.split(',').flatMap((name) => name.trim() || []);
  return {
    ...(on === 'seeds' && { role: 'seed' as const }),
    ...(on === 'all' && { role: 'any' as const }),
    ...(names !== undefined && on !== 'seeds' && on !== 'all' && { names }),
    ...(zone !== undefined && { zone }),
    ...(label.length > 0 && { labels: Object.fromEntries(label.map(parseLabel)) }),
    ...(count !== undefined && { count: parseCount('--count', count) }),
    ...(percent !== undefined && { percent: parseCount('--percent', percent) }),
  };
}

/** @throws ERR_CONFIG_INVALID */
function platformOf(text: string | undefined): string {
  if (text === 'all') return text;
  return formatPlatform(
    text === undefined ? machinePlatform(process.platform, process.arch) : parsePlatform(text),
  );
}

function idOf(text: string): string {
  return text.trim().toLowerCase();
}
