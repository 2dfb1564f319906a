import type { SwarmQueries } from '../../app/swarm-query.ts';
import { toShoalError } from '../../core/errors.ts';
import type { TaskDetail, TaskRow } from '../../core/swarm-rows.ts';
import { RateMeter } from '../views/rate.ts';
import type { Seen } from './model.ts';

/** Rows of a list that are asked for: a terminal shows no more, and a filter finds the rest by `task ls`. */
const MOST_ROWS = 2_000;
/** Tasks whose progress is asked for, host by host. */
const MOST_MOVING = 12;
const MOST_EVENTS = 500;

/** What is known of a swarm, asked for anew at each look. */
export class Watch {
  readonly #swarm: SwarmQueries;
  readonly #now: () => number;
  readonly #meters = new Map<string, RateMeter>();
  #seen: Seen;

  constructor(swarm: SwarmQueries, options: { name: string; now: () => number; hears: boolean }) {
    this.#swarm = swarm;
    this.#now = options.now;
    this.#seen = {
      swarm: options.name,
      atMs: options.now(),
      tasks: [],
      hosts: [],
      schedulers: [],
      details: new Map(),
      rates: new Map(),
      events: options.hears ? [] : undefined,
      trouble: undefined,
    };
  }

  get seen(): Seen {
    return this.#seen;
  }

  /** An event came, as a line. */
  heard(line: string): void {
    const { events = [] } = this.#seen;
    this.#seen = { ...this.#seen, events: [line, ...events].slice(0, MOST_EVENTS) };
  }

  /** Asks once; where nobody answers what was known stays, and says that it is old. */
  async look(open?: string): Promise<void> {
    try {
      const [tasks, hosts, schedulers] = await Promise.all([
        this.#swarm.tasks(MOST_ROWS),
        this.#swarm.hosts(MOST_ROWS),
        this.#swarm.schedulers(),
      ]);
      const details = await this.#details(tasks, open);
      const rates = this.#rates(details);
      this.#seen = {
        ...this.#seen,
        atMs: this.#now(),
        tasks,
        hosts,
        schedulers,
        details,
        rates,
        trouble: undefined,
      };
    } catch (error) {
      const { message, code } = toShoalError(error);
      this.#seen = { ...this.#seen, trouble: `what is shown is old: ${message} (${code})` };
    }
  }

  async #details(tasks: readonly TaskRow[], open: string | undefined): Promise<Map<string, TaskDetail>> {
    const moving = tasks.filter(({ fetching }) => fetching > 0).sort((a, b) => b.fetching - a.fetching);
    const ids = new Set(moving.slice(0, MOST_MOVING).map(({ taskId }) => taskId));
    if (open !== undefined) ids.add(open);
    // One that ended meanwhile is nobody's trouble.
    const known = await Promise.all([...ids].map((id) => this.#swarm.task(id).catch(() => undefined)));
    return new Map(known.flatMap((task) => (task === undefined ? [] : [[task.taskId, task] as const])));
  }

  #rates(details: ReadonlyMap<string, TaskDetail>): Map<string, number> {
    for (const id of this.#meters.keys()) if (!details.has(id)) this.#meters.delete(id);
    const rates = new Map<string, number>();
    for (const [id, { peers }] of details) {
      const meter = this.#meters.get(id) ?? new RateMeter();
      this.#meters.set(id, meter);
      const received = peers.reduce((sum, { bytes }) => sum + bytes.origin + bytes.peers, 0);
      meter.add(this.#now(), received);
      rates.set(id, Math.max(0, meter.bytesPerSec));
    }
    return rates;
  }
}
