import { nextFiring } from '../../../core/cron.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { JobFilter, JobHostFilter } from '../../../core/job-messages.ts';
import {
  isEnded,
  JOB_BOUNDS,
  type JobHost,
  type JobRecord,
  type JobRequest,
  jobIdOf,
} from '../../../core/jobs.ts';
import type { Subscription } from '../../../transport/bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { GroupWorld } from '../world.ts';
import { NO_PROGRESS } from './hosts-book.ts';
import { isConflict, type JobStore, noJob } from './job-store.ts';
import type { JobTable } from './job-table.ts';
import { tellJob } from './tell-job.ts';

const QUEUE = 'scheduler';
const WHOLE_ID = 32;

/** Who asks for a job, and by which key it is one. */
export interface JobOrigin {
  readonly idempotencyKey: string;
  readonly by: string;
  /** The schedule whose job this is. */
  readonly parent?: string;
}

type DeskWorld = Pick<GroupWorld, 'bus' | 'clock' | 'emit' | 'log'>;

/** Accepts jobs, tells of them, and has them ended. */
export class JobDesk {
  readonly #world: DeskWorld;
  readonly #store: JobStore;
  readonly #table: JobTable;

  constructor(world: DeskWorld, store: JobStore, table: JobTable) {
    this.#world = world;
    this.#store = store;
    this.#table = table;
  }

  serve(): Subscription[] {
    const { bus } = this.#world;
    const options = { queue: QUEUE };
    return [
      bus.serve(
        SUBJECTS.jobCreate,
        {},
        ({ request, idempotencyKey }, { sender }) =>
          stored(this.create(request, { idempotencyKey, by: sender })),
        options,
      ),
      bus.serve(
        SUBJECTS.jobCancel,
        {},
        ({ id }) => stored(this.#cancel(id).then((job) => ({ job }))),
        options,
      ),
      bus.serve(
        SUBJECTS.jobsAsk,
        {},
        (asked) => {
          if (asked.op === 'list') return stored(this.#list(asked));
          if (asked.op === 'show') return stored(this.#show(asked.id).then((job) => ({ jobs: [job] })));
          return stored(this.#hosts(asked.id, asked));
        },
        options,
      ),
    ];
  }

  /**
   * Accepts a job, once for each key.
   * @throws ERR_JOB_CONFLICT (the key stands for another request), ERR_CONFIG_INVALID (a schedule that is none), ERR_BUS_*
   */
  async create(request: JobRequest, origin: JobOrigin): Promise<{ job: JobRecord; created: boolean }> {
    const { clock } = this.#world;
    const id = jobIdOf(origin.idempotencyKey);
    const known = await this.#store.get(id);
    if (known !== undefined) return { job: sameAs(known.job, request), created: false };
    const createdAtMs = clock.wall();
    const { schedule } = request;
    const nextAtMs = schedule === undefined ? undefined : nextFiring(schedule, createdAtMs);
    const job: JobRecord = {
      id,
      kind: request.kind,
      state: schedule === undefined ? 'accepted' : 'running',
      request,
      by: origin.by,
      ...(origin.parent !== undefined && { parent: origin.parent }),
      createdAtMs,
      attempt: 0,
      cancelling: false,
      progress: NO_PROGRESS,
      ...(schedule !== undefined && { schedule: { fired: 0, ...(nextAtMs !== undefined && { nextAtMs }) } }),
    };
    try {
      await this.#store.put(job, 0);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const first = await this.#store.get(id);
      if (first === undefined) throw error;
      return { job: sameAs(first.job, request), created: false };
    }
    tellJob(this.#world, 'job.accepted', job);
    if (schedule === undefined) await this.call(job);
    return { job, created: true };
  }

  /** Has a scheduler take the job up; what gets lost here is made up for by whoever looks after it. */
  async call({ kind, id }: JobRecord): Promise<void> {
    const { bus, log } = this.#world;
    await bus.enqueue(SUBJECTS.job, { kind, jobId: id }, {}).catch((error: unknown) => {
      log.warn({ jobId: id, err: toShoalError(error) }, 'a job is not in the queue yet');
    });
  }

  async #cancel(start: string): Promise<JobRecord> {
    const { job } = await this.#store.change(await this.#idOf(start), (now) => {
      if (isEnded(now.state) || now.cancelling) return undefined;
      if (now.schedule === undefined) return { ...now, cancelling: true };
      return { ...now, state: 'cancelled', endedAtMs: this.#world.clock.wall() };
    });
    if (job.cancelling) await this.call(job);
    else if (job.schedule !== undefined) tellJob(this.#world, 'job.cancelled', job);
    return job;
  }

  async #list(filter: JobFilter) {
    // Where there is none, whether that is so tells the store.
    if (this.#table.size === 0) await this.#store.get('0');
    return this.#table.page(filter);
  }

  async #show(start: string): Promise<JobRecord> {
    const id = await this.#idOf(start);
    const known = await this.#store.get(id);
    if (known === undefined) throw noJob(start);
    return known.job;
  }

  async #hosts(
    start: string,
    { after = '0', limit = JOB_BOUNDS.page, state }: JobHostFilter,
  ): Promise<{ hosts: JobHost[]; next?: string }> {
    const job = await this.#show(start);
    const from = /^\d{1,9}$/.test(after) ? Number(after) : 0;
    const hosts: JobHost[] = [];
    const first = Math.floor(from / JOB_BOUNDS.page);
    let at = first * JOB_BOUNDS.page;
    for await (const page of this.#store.pages(job, first)) {
      for (const row of page) {
        at += 1;
        if (at <= from || (state !== undefined && row.state !== state)) continue;
        hosts.push(row);
        if (hosts.length === limit) return at < job.progress.hosts ? { hosts, next: String(at) } : { hosts };
      }
    }
    return { hosts };
  }

  /** The whole id for its beginning. @throws ERR_JOB_NOT_FOUND, ERR_CONFIG_INVALID (several begin so) */
  async #idOf(start: string): Promise<string> {
    if (start.length === WHOLE_ID) return start;
    const [id, other] = this.#table.startingWith(start);
    if (id === undefined) throw noJob(start);
    if (other === undefined) return id;
    throw new ShoalError('ERR_CONFIG_INVALID', `several jobs begin with ${start}: write more of the id`);
  }
}

/** @throws ERR_JOB_CONFLICT */
function sameAs(job: JobRecord, request: JobRequest): JobRecord {
  if (JSON.stringify(job.request) === JSON.stringify(request)) return job;
  throw new ShoalError('ERR_JOB_CONFLICT', `job ${job.id} has this key, and is another request`);
}

/** @throws ERR_JOB_NO_STORE where NATS has no JetStream */
async function stored<R>(answer: Promise<R>): Promise<R> {
  try {
    return await answer;
  } catch (thrown) {
    const error = toShoalError(thrown);
    if (error.details['jetstream'] !== false) throw error;
    throw new ShoalError('ERR_JOB_NO_STORE', 'jobs need JetStream, which this nats-server does not have', {
      cause: error,
    });
  }
}
