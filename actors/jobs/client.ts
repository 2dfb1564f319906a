import { type Clock, type Random, sleep } from '../../core/clock.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import type { JobFilter, JobHostFilter } from '../../core/job-messages.ts';
import {
  isEnded,
  type JobHost,
  type JobRecord,
  type JobRequest,
  type JobRequestInput,
  jobIdOf,
  jobRequestSchema,
} from '../../core/jobs.ts';
import type { Bus } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { HeaderKeeper } from './header-keeper.ts';

/** A page of a list; `next` is the `after` of the page behind, absent at the end. */
export interface JobPage<R> {
  readonly rows: readonly R[];
  readonly next: string | undefined;
}

/** What goes with a request for a job. */
export interface JobOptions {
  /** One job for each key; without one each call is a job of its own. */
  readonly idempotencyKey?: string | undefined;
  /**
   * With what the registry is asked for images. They stay in the memory of this process, which hands them to the one
   * host that reads: a job that is not read before this process ends fails with ERR_JOB_HEADERS_LOST.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A job that is accepted; `created` false where it was there before. */
export interface CreatedJob {
  readonly job: JobRecord;
  readonly created: boolean;
}

/**
 * What can be done with the jobs of a swarm. Each throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS (no scheduler),
 * ERR_BUS_TIMEOUT, ERR_BUS_DENIED (a login that may not), and ERR_JOB_NO_STORE where NATS has no JetStream.
 */
export interface Jobs {
  /** @throws ERR_CONFIG_INVALID, ERR_JOB_CONFLICT (the key stands for another request) */
  create(request: JobRequestInput, options?: JobOptions): Promise<CreatedJob>;
  /** Newest first. */
  list(filter?: JobFilter): Promise<JobPage<JobRecord>>;
  /** By its id or the beginning of it. @throws ERR_JOB_NOT_FOUND */
  show(id: string): Promise<JobRecord>;
  /** Its hosts, and how it stands on each. @throws ERR_JOB_NOT_FOUND */
  hosts(id: string, filter?: JobHostFilter): Promise<JobPage<JobHost>>;
  /** The job as it is, and again at each change, until it is over. @throws ERR_JOB_NOT_FOUND, the signal's reason */
  watch(id: string, signal?: AbortSignal): AsyncIterable<JobRecord>;
  /** Ends it; one that is over stays as it is. It is over when its state says so. @throws ERR_JOB_NOT_FOUND */
  cancel(id: string): Promise<JobRecord>;
}

const ASK_MS = 8_000;
const LOOK_MS = 400;
/** Whoever watches a job bears with nobody to ask for so long: schedulers and NATS come back. */
const BEARS_MS = 30_000;

/** The jobs of a swarm over its bus. */
export function jobsClient(world: {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  /** Nobody on the way to NATS can listen: TLS, or one machine. Else no headers are taken. */
  readonly isPrivate?: boolean;
}): Jobs {
  const { bus, clock, random, isPrivate = false } = world;
  const keeper = new HeaderKeeper(bus);
  const to = { sender: bus.name };
  const within = { timeoutMs: ASK_MS };

  async function show(id: string): Promise<JobRecord> {
    const { jobs = [] } = await bus.request(SUBJECTS.jobsAsk, to, { op: 'show', id }, within);
    const [job] = jobs;
    if (job === undefined) throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'an answer without a job');
    return job;
  }

  async function* watch(id: string, signal?: AbortSignal): AsyncGenerator<JobRecord> {
    let told = '';
    let heardMs = clock.now();
    for (;;) {
      signal?.throwIfAborted();
      const job = await show(id).catch((error: unknown) => {
        const isAway = toShoalError(error).retryable && clock.now() - heardMs < BEARS_MS;
        if (!isAway) throw error;
        return undefined;
      });
      if (job === undefined) {
        await sleep(clock, LOOK_MS, signal);
        continue;
      }
      heardMs = clock.now();
      const now = JSON.stringify(job);
      if (now !== told) yield job;
      told = now;
      if (isEnded(job.state)) return;
      await sleep(clock, LOOK_MS, signal);
    }
  }

  return {
    show,
    watch,
    async create(input, options = {}) {
      const { idempotencyKey = Buffer.from(random.bytes(16)).toString('hex'), headers } = options;
      if (headers !== undefined) {
        if (!isPrivate) throw openLink();
        // Before anybody works on it.
        keeper.keep(jobIdOf(idempotencyKey), headers);
        return bus.request(
          SUBJECTS.jobCreate,
          to,
          { request: checkedJob({ ...input, headersKeptBy: bus.name }), idempotencyKey },
          within,
        );
      }
      return bus.request(SUBJECTS.jobCreate, to, { request: checkedJob(input), idempotencyKey }, within);
    },
    async list(filter = {}) {
      const answer = await bus.request(SUBJECTS.jobsAsk, to, { op: 'list', ...filter }, within);
      return { rows: answer.jobs ?? [], next: answer.next };
    },
    async hosts(id, filter = {}) {
      const answer = await bus.request(SUBJECTS.jobsAsk, to, { op: 'hosts', id, ...filter }, within);
      return { rows: answer.hosts ?? [], next: answer.next };
    },
    async cancel(id) {
      return (await bus.request(SUBJECTS.jobCancel, to, { id }, within)).job;
    },
  };
}

function openLink(): ShoalError {
  return new ShoalError(
    'ERR_CONFIG_INVALID',
    'headers of a job go over NATS only by TLS or on one machine: use a tls:// URL, or leave them out',
  );
}

/** A request with what has a default. @throws ERR_CONFIG_INVALID */
export function checkedJob(input: JobRequestInput): JobRequest {
  const parsed = jobRequestSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    `${where === '' ? '' : `${where}: `}${issue?.message ?? 'not a job'}`,
  );
}
