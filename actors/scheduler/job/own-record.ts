import type { JobRecord } from '../../../core/jobs.ts';
import { isConflict, type JobStore, type StoredJob } from './job-store.ts';

/** A job is another's, or cannot be written down: whoever works on it stops where it is. */
export class LeftJob extends Error {}

/** The record of a job that this scheduler works on, for as long as no other does. */
export class OwnRecord {
  readonly #store: JobStore;
  #stored: StoredJob;

  constructor(store: JobStore, stored: StoredJob) {
    this.#store = store;
    this.#stored = stored;
  }

  get job(): JobRecord {
    return this.#stored.job;
  }

  /** @throws LeftJob */
  async change(change: (job: JobRecord) => JobRecord): Promise<JobRecord> {
    const { attempt } = this.job;
    for (;;) {
      try {
        this.#stored = await this.#store.put(change(this.job), this.#stored.revision);
        return this.job;
      } catch (cause) {
        if (!isConflict(cause)) throw new LeftJob('the job cannot be written down', { cause });
      }
      // Somebody may have asked for its end; whoever began it anew has it.
      const now = await kept(this.#store.get(this.job.id));
      if (now === undefined || now.job.attempt !== attempt) throw new LeftJob('the job is another’s');
      this.#stored = now;
    }
  }
}

/** What the store answers. @throws LeftJob where it does not */
export async function kept<R>(answer: Promise<R>): Promise<R> {
  try {
    return await answer;
  } catch (cause) {
    throw new LeftJob('the jobs are out of reach', { cause });
  }
}
