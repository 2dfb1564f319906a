import type { JobFilter } from '../../../core/job-messages.ts';
import { JOB_BOUNDS, type JobRecord } from '../../../core/jobs.ts';
import type { Subscription } from '../../../transport/bus.ts';
import type { JobStore, StoredJob } from './job-store.ts';

/** What the jobs of a page take up at most, but for the last of them: well below what a message holds. */
const PAGE_BYTES = 96 * 1024;

const encoder = new TextEncoder();

/** All jobs, as the bucket told them last: it may be a moment behind. */
export class JobTable {
  readonly #jobs = new Map<string, StoredJob>();
  readonly #onChange: (job: JobRecord) => void;
  #watching: Subscription | undefined;

  constructor(onChange: (job: JobRecord) => void) {
    this.#onChange = onChange;
  }

  start(store: JobStore): void {
    this.#watching = store.watch((id, stored) => {
      if (stored === undefined) this.#jobs.delete(id);
      else {
        this.#jobs.set(id, stored);
        this.#onChange(stored.job);
      }
    });
  }

  stop(): void {
    this.#watching?.close();
  }

  get size(): number {
    return this.#jobs.size;
  }

  all(): Iterable<StoredJob> {
    return this.#jobs.values();
  }

  /** The ids that begin so. */
  startingWith(start: string): string[] {
    return [...this.#jobs.keys()].filter((id) => id.startsWith(start));
  }

  /** Newest first; `next` is where the page behind begins. */
  page(filter: JobFilter): { readonly jobs: JobRecord[]; readonly next?: string } {
    const { kind, state, parent, scheduled, after, limit = JOB_BOUNDS.page } = filter;
    const fits = ({ job }: StoredJob) =>
      (kind === undefined || job.kind === kind) &&
      (state === undefined || job.state === state) &&
      (parent === undefined || job.parent === parent) &&
      (scheduled === undefined || (job.request.schedule !== undefined) === scheduled) &&
      (after === undefined || placeOf(job) < after);
    const fitting = [...this.#jobs.values()].filter(fits).map(({ job }) => job);
    fitting.sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1));
    const jobs: JobRecord[] = [];
    let bytes = 0;
    for (const job of fitting) {
      if (jobs.length >= limit || bytes >= PAGE_BYTES) break;
      jobs.push(job);
      bytes += encoder.encode(JSON.stringify(job)).length;
    }
    const last = jobs.at(-1);
    return last === undefined || jobs.length === fitting.length ? { jobs } : { jobs, next: placeOf(last) };
  }
}

/** Where a job is in the list: by its time, then its id. */
function placeOf({ createdAtMs, id }: JobRecord): string {
  return `${String(createdAtMs).padStart(15, '0')}.${id}`;
}
