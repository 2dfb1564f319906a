import type { Subscription } from '../../../transport/bus.ts';
import type { GroupWorld } from '../world.ts';
import { JobDesk } from './desk.ts';
import { JobStore } from './job-store.ts';
import { JobTable } from './job-table.ts';
import { JobKeeper } from './keeper.ts';
import { JobWorkers } from './workers.ts';

/** All that one scheduler has to do with jobs. */
export class SchedulerJobs {
  readonly #store: JobStore;
  readonly #table: JobTable;
  readonly #desk: JobDesk;
  readonly #workers: JobWorkers;
  readonly #keeper: JobKeeper;
  #serving: Subscription[] = [];

  /** @param owns whether this scheduler looks after what is in a partition */
  constructor(world: GroupWorld, owns: (partition: number) => boolean) {
    this.#store = new JobStore(world.bus);
    this.#workers = new JobWorkers(world, this.#store);
    this.#table = new JobTable((job) => this.#workers.hear(job));
    this.#desk = new JobDesk(world, this.#store, this.#table);
    const { store, table, desk } = { store: this.#store, table: this.#table, desk: this.#desk };
    this.#keeper = new JobKeeper({ world, store, table, desk, owns });
  }

  start(): void {
    this.#table.start(this.#store);
    this.#serving = this.#desk.serve();
    this.#workers.start();
  }

  tick(): void {
    this.#keeper.tick();
  }

  stop(): void {
    for (const each of this.#serving) each.close();
    this.#workers.stop();
    this.#table.stop();
  }
}
