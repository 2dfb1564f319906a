import { type Actor, createActor } from 'xstate';
import { toShoalError } from '../../../core/errors.ts';
import type { JobRecord } from '../../../core/jobs.ts';
import { jobMachine } from '../../../machines/scheduler/job.ts';
import { xstateClock } from '../../xstate-clock.ts';
import type { JobStore } from './job-store.ts';
import { JobWork, type JobWorld } from './job-work.ts';

/** A job that this scheduler works on. */
export class JobActor {
  readonly #work: JobWork;
  readonly #actor: Actor<typeof jobMachine>;
  /** Whether it is dealt with: else it is another's, or comes again. */
  readonly ended: Promise<boolean>;

  constructor(world: JobWorld, store: JobStore, id: string) {
    const { clock, log } = world;
    this.#work = new JobWork(world, store, id);
    this.#actor = createActor(jobMachine, { input: this.#work, clock: xstateClock(clock) });
    this.ended = new Promise((resolve) => {
      this.#actor.subscribe({
        complete: () => resolve(this.#actor.getSnapshot().value === 'ended'),
        error: (error) => {
          log.error({ jobId: id, err: toShoalError(error) }, 'job actor crashed');
          resolve(false);
        },
      });
    });
    this.#actor.start();
  }

  /** The job changed in the store. */
  hear({ attempt, cancelling }: JobRecord): void {
    const own = this.#work.attempt;
    if (own === undefined) return;
    if (attempt > own) this.#actor.send({ type: 'job.taken' });
    else if (cancelling) this.#actor.send({ type: 'cancel.asked' });
  }

  /** Leaves it to others. */
  leave(): void {
    this.#actor.send({ type: 'job.taken' });
  }
}
