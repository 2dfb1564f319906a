import { sleep } from '../../../core/clock.ts';
import type { JobRecord } from '../../../core/jobs.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Subscription } from '../../../transport/bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { GroupWorld } from '../world.ts';
import { JobActor } from './job.ts';
import type { JobStore } from './job-store.ts';

/** Jobs that one scheduler works on at once. */
const AT_ONCE = 16;

/** Takes jobs out of the queue, and works on them. */
export class JobWorkers {
  readonly #world: GroupWorld;
  readonly #store: JobStore;
  readonly #jobs = new Map<string, JobActor>();
  #subscriptions: Subscription[] = [];
  #connectedMs = Number.NEGATIVE_INFINITY;

  constructor(world: GroupWorld, store: JobStore) {
    this.#world = world;
    this.#store = store;
  }

  start(): void {
    const { bus, clock } = this.#world;
    const connected = () => {
      this.#connectedMs = clock.now();
    };
    const options = { ackMs: LIMITS.jobAckMs, atOnce: AT_ONCE };
    this.#subscriptions = [
      bus.onState((state) => {
        if (state === 'connected') connected();
      }),
      bus.work(SUBJECTS.job, options, (_, { jobId }) => this.#work(jobId)),
    ];
    connected();
  }

  /** A job changed in the store. */
  hear(job: JobRecord): void {
    this.#jobs.get(job.id)?.hear(job);
  }

  /** Leaves what it works on to others. */
  stop(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    for (const job of this.#jobs.values()) job.leave();
  }

  /** @throws where the job is not dealt with: it comes again */
  async #work(jobId: string): Promise<void> {
    // The queue may give a job again that is worked on here: it has not heard of this scheduler for a while.
    const known = this.#jobs.get(jobId);
    const job =
      known ?? new JobActor({ ...this.#world, hostsHeard: () => this.#hostsHeard() }, this.#store, jobId);
    if (known === undefined) {
      this.#jobs.set(jobId, job);
      void job.ended.finally(() => this.#jobs.delete(jobId));
    }
    if (!(await job.ended)) throw new Error(`job ${jobId} is not dealt with`);
  }

  /** Hosts say that they live within this time after NATS is there. */
  async #hostsHeard(): Promise<void> {
    const { clock } = this.#world;
    for (;;) {
      const leftMs = this.#connectedMs + LIMITS.hostGoneMs / 2 - clock.now();
      if (leftMs <= 0) return;
      await sleep(clock, leftMs);
    }
  }
}
