import type { CreatedJob, JobOptions, Jobs } from '../../actors/jobs/client.ts';
import { ShoalError } from '../../core/errors.ts';
import {
  isEnded,
  type JobHost,
  type JobRecord,
  type JobRequestInput,
  jobIdOf,
  jobRequestSchema,
} from '../../core/jobs.ts';
import { hostId } from '../scheduling/world.ts';

/** How a job stands on a host of the fake. */
export function jobHost(index: number, state: JobHost['state'], more: Partial<JobHost> = {}): JobHost {
  return {
    hostId: hostId(index),
    name: `node-${index}`,
    ip: `10.0.0.${index + 1}`,
    state,
    items: 2,
    done: state === 'succeeded' ? 2 : 0,
    failed: state === 'failed' ? 2 : 0,
    length: 1_000,
    doneBytes: state === 'succeeded' ? 1_000 : 0,
    bytes: { origin: 0, peers: 1_000, local: 0 },
    durationMs: 40,
    failures: [],
    ...more,
  };
}

/** Jobs in memory, which change when the test says so. */
export class FakeJobs implements Jobs {
  readonly records = new Map<string, JobRecord>();
  readonly rows = new Map<string, JobHost[]>();
  readonly asked: { readonly request: JobRequestInput; readonly options: JobOptions }[] = [];
  readonly #changed = new Set<() => void>();
  /** How many wait for a change. */
  watchers = 0;
  #made = 0;

  async create(request: JobRequestInput, options: JobOptions = {}): Promise<CreatedJob> {
    this.asked.push({ request, options });
    const parsed = jobRequestSchema.safeParse(request);
    if (!parsed.success) throw new ShoalError('ERR_CONFIG_INVALID', parsed.error.issues[0]?.message ?? '');
    this.#made += 1;
    const id = jobIdOf(options.idempotencyKey ?? `job ${this.#made}`);
    const known = this.records.get(id);
    if (known !== undefined) return { job: known, created: false };
    const job: JobRecord = {
      id,
      kind: parsed.data.kind,
      state: 'accepted',
      request: parsed.data,
      by: 'gateway',
      createdAtMs: 1_767_225_600_000,
      attempt: 0,
      cancelling: false,
      progress: {
        ...{ hosts: 0, succeeded: 0, failed: 0, length: 0, doneBytes: 0 },
        bytes: { origin: 0, peers: 0, local: 0 },
      },
    };
    this.records.set(id, job);
    return { job, created: true };
  }

  /** Changes a job, and tells whoever watches it. */
  change(id: string, change: Partial<JobRecord>, hosts: JobHost[] = []): void {
    const job = this.records.get(id);
    if (job === undefined) throw new Error(`no job ${id}`);
    const count = (state: JobHost['state']) => hosts.filter((host) => host.state === state).length;
    const progress = {
      ...job.progress,
      ...{ hosts: hosts.length, succeeded: count('succeeded'), failed: count('failed') },
    };
    this.records.set(id, { ...job, progress, ...change });
    this.rows.set(id, hosts);
    this.watchers = 0;
    for (const tell of this.#changed) tell();
    this.#changed.clear();
  }

  async list({ kind, state, after, limit = 100 }: Parameters<Jobs['list']>[0] = {}) {
    const fits = (job: JobRecord) =>
      (kind === undefined || job.kind === kind) && (state === undefined || job.state === state);
    const all = [...this.records.values()].filter(fits).sort((a, b) => (a.id < b.id ? -1 : 1));
    return page(all, ({ id }) => id, after, limit);
  }

  async show(id: string): Promise<JobRecord> {
    const found = [...this.records.values()].find((job) => job.id.startsWith(id));
    if (found !== undefined) return found;
    throw new ShoalError('ERR_JOB_NOT_FOUND', `there is no job ${id}`);
  }

  async hosts(id: string, { state, after, limit = 100 }: Parameters<Jobs['hosts']>[1] = {}) {
    const job = await this.show(id);
    const all = (this.rows.get(job.id) ?? []).filter((host) => state === undefined || host.state === state);
    return page(all, (row) => row.hostId, after, limit);
  }

  async *watch(id: string, signal?: AbortSignal): AsyncGenerator<JobRecord> {
    let told: JobRecord | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const job = await this.show(id);
      if (job !== told) yield job;
      told = job;
      if (isEnded(job.state)) return;
      this.watchers += 1;
      await new Promise<void>((resolve) => {
        this.#changed.add(resolve);
        signal?.addEventListener('abort', () => resolve());
      });
    }
  }

  async cancel(id: string): Promise<JobRecord> {
    const job = await this.show(id);
    this.change(job.id, { state: 'cancelled' });
    return this.show(id);
  }
}

function page<R>(rows: readonly R[], idOf: (row: R) => string, after: string | undefined, limit: number) {
  const left = rows.filter((row) => after === undefined || idOf(row) > after);
  const taken = left.slice(0, limit);
  const last = taken.at(-1);
  return { rows: taken, next: left.length > limit && last !== undefined ? idOf(last) : undefined };
}
