import type { Clock } from '../../core/clock.ts';
import { LIMITS } from '../../core/limits.ts';
import type { OwnUse } from '../../core/own-load.ts';
import type { Backlog } from './backlog.ts';

/** So much of its time a scheduler may be busy before hosts are to sync less often. */
const BUSY_SHARE = 0.7;
/** What has waited for so long is as good as at once; each further such time counts as one more scheduler’s work. */
const WAIT_MS = 100;
/** Its work was at most so many times what it can do, as far as is believed at one look. */
const MOST_LOAD = 4;
/** What asks more than it gives goes first: what is shed where what is read has waited for so long, ms. */
const SHED_MS = { presence: 100, progress: 250, joining: 500, starving: 600 } as const;

/** What hosts say that can be shed, the first to go first; what a recovery needs never is. */
export type Sheddable = keyof typeof SHED_MS;

interface SyncLoadParts {
  readonly clock: Pick<Clock, 'now'>;
  readonly backlog: Pick<Backlog, 'ageMs' | 'aboutMs'>;
  /** What the process uses; absent where nobody knows. */
  readonly use?: (() => OwnUse) | undefined;
}

/**
 * How often hosts are to sync: as often as this scheduler can answer. The time that was between two syncs of a host, times how
 * much too busy the scheduler was in it, is what it asks for; so it does not matter how soon hosts follow.
 */
export class SyncLoad {
  readonly #parts: SyncLoadParts;
  #answered = 0;
  #lookedMs: number;
  #busyMs: number;
  #floorMs = 0;

  constructor(parts: SyncLoadParts) {
    this.#parts = parts;
    this.#lookedMs = parts.clock.now();
    this.#busyMs = parts.use?.().busyMs ?? 0;
  }

  /** A sync was answered. */
  synced(): void {
    this.#answered += 1;
  }

  /** Looks at the time since the last look, in which so many peers wanted pieces. */
  look(wanting: number): void {
    const { clock } = this.#parts;
    const elapsedMs = clock.now() - this.#lookedMs;
    if (elapsedMs <= 0) return;
    this.#lookedMs += elapsedMs;
    const load = this.#load(elapsedMs);
    const answered = this.#answered;
    this.#answered = 0;
    // Where none was answered nothing is known of how often they come.
    const betweenMs = answered === 0 ? this.#floorMs : (wanting * elapsedMs) / answered;
    const neededMs = wanting === 0 ? 0 : betweenMs * load;
    const askedMs = Math.min(load > 1 ? LIMITS.syncMostIntervalMs : this.#floorMs, neededMs);
    // Up at once, down by degrees: what is shed looks like little to do.
    this.#floorMs = askedMs >= this.#floorMs ? askedMs : (3 * this.#floorMs + askedMs) / 4;
  }

  /** How much there was to do, in what this scheduler had better do. */
  #load(elapsedMs: number): number {
    const { backlog, use } = this.#parts;
    const waited = Math.max(0, backlog.aboutMs / WAIT_MS - 1);
    if (use === undefined) return Math.min(MOST_LOAD, waited);
    const { busyMs } = use();
    const share = Math.min(1, (busyMs - this.#busyMs) / elapsedMs);
    this.#busyMs = busyMs;
    return Math.min(MOST_LOAD, (share / BUSY_SHARE) * (1 + waited));
  }

  /** Time between two syncs that a host is asked for, in a task of so many. */
  intervalMs(peers: number): number {
    return Math.ceil(Math.max(LIMITS.syncMinIntervalMs, LIMITS.syncPerHostMs * peers, this.#floorMs));
  }

  /** Whether this is not to be done now, for there is too much to do. */
  sheds(what: Sheddable): boolean {
    return this.#parts.backlog.ageMs > SHED_MS[what];
  }

  /** When a host whose sync is shed had better come again: not before all that is ahead of it now has been read. */
  get waitMs(): number {
    return Math.min(
      LIMITS.syncMostIntervalMs,
      Math.max(this.intervalMs(0), Math.ceil(this.#parts.backlog.ageMs)),
    );
  }

  /** Whether nobody waits any more for the answer to what is read now. */
  isLate(patienceMs: number = LIMITS.syncTimeoutMs): boolean {
    return this.#parts.backlog.ageMs > patienceMs;
  }
}
