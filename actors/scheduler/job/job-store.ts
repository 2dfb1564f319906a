import { z } from 'zod';
import { ShoalError } from '../../../core/errors.ts';
import {
  JOB_BOUNDS,
  type JobHost,
  type JobRecord,
  jobHostSchema,
  jobRecordSchema,
} from '../../../core/jobs.ts';
import type { Bus, Directory, DirectoryEntry } from '../../../transport/bus.ts';

/** A job, and which version of it that is. */
export interface StoredJob {
  readonly job: JobRecord;
  readonly revision: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const pageSchema = z.array(jobHostSchema).max(JOB_BOUNDS.page);

/** Jobs in the bucket `jobs`, their hosts in pages in the bucket `job-hosts`; each throws ERR_BUS_*. */
export class JobStore {
  readonly #jobs: Directory;
  readonly #hosts: Directory;

  constructor(bus: Pick<Bus, 'directory'>) {
    this.#jobs = bus.directory('jobs');
    this.#hosts = bus.directory('job-hosts');
  }

  async get(id: string): Promise<StoredJob | undefined> {
    const entry = await this.#jobs.get(id);
    return entry === undefined ? undefined : readJob(entry);
  }

  /** Puts the job where it is still at that revision; 0: where there is none. @throws ERR_BUS_CONFLICT */
  async put(job: JobRecord, revision: number): Promise<StoredJob> {
    return { job, revision: await this.#jobs.put(job.id, bytesOf(job), revision) };
  }

  /**
   * Changes the job as it is at that moment; where the change is undefined it stays as it is.
   * @throws ERR_JOB_NOT_FOUND
   */
  async change(id: string, change: (job: JobRecord) => JobRecord | undefined): Promise<StoredJob> {
    for (;;) {
      const stored = await this.get(id);
      if (stored === undefined) throw noJob(id);
      const changed = change(stored.job);
      if (changed === undefined) return stored;
      try {
        return await this.put(changed, stored.revision);
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  /** Hosts of a job: page by page, as many as there are. */
  async *pages(job: JobRecord, from = 0): AsyncGenerator<JobHost[]> {
    for (let page = from; page < pagesOf(job); page += 1) yield (await this.#page(job.id, page)).rows;
  }

  async hosts(job: JobRecord): Promise<JobHost[]> {
    const rows: JobHost[] = [];
    for await (const page of this.pages(job)) rows.push(...page);
    return rows;
  }

  /** Writes one page of the hosts of a job, whatever it was before. */
  async putPage(id: string, page: number, rows: readonly JobHost[]): Promise<void> {
    for (;;) {
      const { revision } = await this.#page(id, page);
      try {
        await this.#hosts.put(keyOf(id, page), bytesOf(rows), revision);
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  /** Forgets a job and its hosts. */
  async remove({ job, revision }: StoredJob): Promise<void> {
    for (let page = 0; page < pagesOf(job); page += 1) {
      const known = await this.#page(job.id, page);
      if (known.revision > 0) await this.#hosts.remove(keyOf(job.id, page), known.revision);
    }
    await this.#jobs.remove(job.id, revision);
  }

  watch(listener: (id: string, stored: StoredJob | undefined) => void) {
    return this.#jobs.watch(({ key, value, revision }) =>
      listener(key, value === undefined ? undefined : readJob({ key, value, revision })),
    );
  }

  async #page(id: string, page: number): Promise<{ rows: JobHost[]; revision: number }> {
    const entry = await this.#hosts.get(keyOf(id, page));
    if (entry === undefined) return { rows: [], revision: 0 };
    const parsed = pageSchema.safeParse(jsonOf(entry.value));
    return { rows: parsed.success ? parsed.data : [], revision: entry.revision };
  }
}

/** Pages that the hosts of a job take. */
export function pagesOf({ progress }: JobRecord): number {
  return Math.ceil(progress.hosts / JOB_BOUNDS.page);
}

export function noJob(id: string): ShoalError {
  return new ShoalError('ERR_JOB_NOT_FOUND', `no job ${id}`);
}

/** Whether somebody else was first. */
export function isConflict(error: unknown): boolean {
  return error instanceof ShoalError && error.code === 'ERR_BUS_CONFLICT';
}

/** Undefined where a newer Shoal wrote it in its own way. */
function readJob({ value, revision }: DirectoryEntry): StoredJob | undefined {
  const parsed = jobRecordSchema.safeParse(jsonOf(value));
  return parsed.success ? { job: parsed.data, revision } : undefined;
}

function keyOf(id: string, page: number): string {
  return `${id}.${page}`;
}

function bytesOf(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}
