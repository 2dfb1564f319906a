import { isEnded, type JobHost, type JobRecord } from '../../core/jobs.ts';
import type { HarborFailure, HarborJob, HarborSuccess } from './contract.ts';

const ERROR_HOSTS = 20;

/** A job as Harbor reads it: its hosts are told once it is over. */
export function harborJob(id: number, job: JobRecord, hosts: readonly JobHost[]): HarborJob {
  const { createdAtMs, startedAtMs, endedAtMs } = job;
  return {
    id,
    type: 'preheat',
    created_at: rfc3339(createdAtMs),
    updated_at: rfc3339(endedAtMs ?? startedAtMs ?? createdAtMs),
    state: stateOf(job),
    result: { job_states: isEnded(job.state) ? [resultOf(job, hosts)] : [] },
  };
}

/** Harbor knows three states, and shows the rows of the hosts only where all went well: a failed host fails the job. */
function stateOf({ state, progress }: JobRecord): HarborJob['state'] {
  if (!isEnded(state)) return 'PENDING';
  return state === 'succeeded' && progress.failed === 0 ? 'SUCCESS' : 'FAILURE';
}

function resultOf(job: JobRecord, hosts: readonly JobHost[]): HarborJob['result']['job_states'][number] {
  const url = job.request.what[0] ?? '';
  const success: HarborSuccess[] = [];
  const failure: HarborFailure[] = [];
  for (const host of hosts) {
    const { name = host.hostId, ip } = host;
    if (host.state === 'succeeded') success.push({ url, hostname: name, ip });
    else failure.push(...failuresOf(host, url));
  }
  return {
    error: errorOf(job, hosts, failure),
    results: [{ success_tasks: success, failure_tasks: failure, scheduler_cluster_id: 1 }],
  };
}

function failuresOf(
  { hostId, name = hostId, ip, state, error, failures }: JobHost,
  url: string,
): HarborFailure[] {
  const at = { hostname: name, ip };
  if (failures.length === 0) return [{ url, ...at, description: error ? textOf(error) : state }];
  return failures.map((failed) => ({ url: failed.resource, ...at, description: textOf(failed) }));
}

/** What Harbor shows of a job that failed is this text alone: it names the hosts. */
function errorOf(job: JobRecord, hosts: readonly JobHost[], failure: readonly HarborFailure[]): string {
  if (stateOf(job) === 'SUCCESS') return '';
  const { progress, error, state } = job;
  const why = error ? textOf(error) : state === 'cancelled' ? 'cancelled' : 'some hosts failed';
  if (hosts.length === 0) return why;
  const told = failure.slice(0, ERROR_HOSTS).map(({ hostname, ip, url, description }) => {
    return `${hostname} (${ip}): ${url}: ${description}`;
  });
  const more = failure.length > told.length ? [`and ${failure.length - told.length} more`] : [];
  const count = `${progress.succeeded} of ${progress.hosts} hosts have all of it`;
  return [`${why}; ${count}`, ...told, ...more].join('\n');
}

function textOf({ code, message }: { readonly code: string; readonly message: string }): string {
  return `${message} (${code})`;
}

function rfc3339(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
