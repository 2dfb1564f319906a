import { ShoalError } from '../../core/errors.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { Bus, Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';

type Headers = Readonly<Record<string, string>>;

/** Jobs whose headers are kept. */
const KEPT = 1_024;
const HAND_MS = 5_000;

/** Headers of jobs in the memory of whoever had them accepted: each goes to the one host that reads. */
export class HeaderKeeper {
  readonly #bus: Bus;
  readonly #kept = new RecentMap<string, Headers>(KEPT);
  #serving: Subscription | undefined;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** From now on, for as long as the bus is open. */
  keep(jobId: string, headers: Headers): void {
    this.#kept.set(jobId, headers);
    const keeper = this.#bus.name;
    this.#serving ??= this.#bus.serve(SUBJECTS.handOver, { keeper }, async ({ jobId: id, hostId }) => {
      const known = this.#kept.get(id);
      if (known === undefined)
        throw new ShoalError('ERR_JOB_HEADERS_LOST', 'the headers of the job are lost');
      const to = { hostId, sender: keeper };
      return this.#bus.request(
        SUBJECTS.jobHeaders,
        to,
        { jobId: id, headers: { ...known } },
        { timeoutMs: HAND_MS },
      );
    });
  }
}
