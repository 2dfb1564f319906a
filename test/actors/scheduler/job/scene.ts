import { type Jobs, jobsClient } from '../../../../actors/jobs/client.ts';
import type { JobHost, JobRecord, JobRequestInput } from '../../../../core/jobs.ts';
import { isEnded } from '../../../../core/jobs.ts';
import type { SimContent } from '../../../../sim/origin.ts';
import { createSimulation, type SimOptions, type Simulation } from '../../../../sim/world.ts';

export const URL_A = 'http://origin.test/a';
export const MIB = 1024 * 1024;
export const MINUTE_MS = 60_000;

/** A swarm with a scheduler or two, something at its origin, and somebody who asks for jobs. */
export interface JobScene {
  readonly sim: Simulation;
  readonly jobs: Jobs;
  readonly content: SimContent;
  /** What a promise comes to, in virtual time. */
  settled<R>(promise: Promise<R>, forMs?: number): Promise<R>;
  /** The job once it is over, or `until` holds. */
  ended(id: string, forMs?: number, until?: (job: JobRecord) => boolean): Promise<JobRecord>;
  hosts(id: string): Promise<readonly JobHost[]>;
  /** Types of the events of jobs, in order, but for progress. */
  told(id: string): string[];
}

export const preheat = (more: Partial<JobRequestInput> = {}): JobRequestInput => ({
  kind: 'preheat',
  what: [URL_A],
  targets: { role: 'any' },
  ...more,
});

/** Starts it, and lets everybody hear of everybody. */
export async function jobScene(
  options: Partial<SimOptions> & { readonly length?: number; readonly schedulers?: 1 | 2 } = {},
): Promise<JobScene> {
  const { length = 2 * MIB, schedulers = 1, ...more } = options;
  const sim = createSimulation({ seed: 1, hosts: 4, seeds: 1, linkBytesPerSec: 8 * MIB, ...more });
  const content = sim.publish(URL_A, length);
  sim.start();
  if (schedulers === 2) sim.rival.start();
  await sim.run(6_000);
  const bus = sim.place.hub.bus('cli-jobs');
  const jobs = jobsClient({ bus, clock: sim.clock, random: sim.random.fork('cli'), isPrivate: true });

  async function settled<R>(promise: Promise<R>, forMs = 10 * MINUTE_MS): Promise<R> {
    let over = false;
    const end = () => {
      over = true;
    };
    promise.then(end, end);
    if (!(await sim.run(forMs, () => over))) throw new Error(`nothing came of it in ${forMs} ms`);
    return promise;
  }

  async function ended(id: string, forMs?: number, until = ({ state }: JobRecord) => isEnded(state)) {
    const watched = async () => {
      for (;;) {
        // Whoever answers may die, and NATS may be away.
        const job = await jobs.show(id).catch(() => undefined);
        if (job !== undefined && until(job)) return job;
        await new Promise<void>((resolve) => void sim.clock.after(200, resolve));
      }
    };
    return settled(watched(), forMs);
  }

  return {
    sim,
    jobs,
    content,
    settled,
    ended,
    hosts: async (id) => (await settled(jobs.hosts(id))).rows,
    told: (id) =>
      sim.events.flatMap((event) =>
        event.type.startsWith('job.') && event.id === id && event.type !== 'job.progressed' ? event.type : [],
      ),
  };
}
