import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';

/** A task that nobody has read for this long though somebody would is read beside the others: those may be slow. */
const PATIENCE_MS = 10_000;

/** One origin: of how many tasks each host reads, and of how many it would read, pieces that only the origin has. */
interface Origin {
  readonly reading: Map<HostId, number>;
  readonly wanting: Map<HostId, number>;
  /** Called, once, when a host reads one task fewer. */
  readonly waiting: Set<() => void>;
}

/**
 * Which hosts read which origins, over all tasks of a scheduler. The tasks of one origin are shared out among the hosts
 * that want them: where one host reads them all, all the others wait for its uplink.
 */
export class OriginReads {
  readonly #origins = new Map<string, Origin>();

  /** The reads of one task, whose origin `name` tells from the first one on. */
  task(name: () => string | undefined): TaskReads {
    return new TaskReads(this, name);
  }

  origin(name: string): Origin {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = { reading: new Map(), wanting: new Map(), waiting: new Set() };
      this.#origins.set(name, origin);
    }
    return origin;
  }

  /** Forgets an origin that nobody reads or would read. */
  settle(name: string): void {
    const origin = this.#origins.get(name);
    if (origin?.reading.size === 0 && origin.wanting.size === 0) this.#origins.delete(name);
  }

  /** How many origins are known. */
  get size(): number {
    return this.#origins.size;
  }
}

/** The reads of one task, beside those of its origin's other tasks. */
export class TaskReads {
  /** A host that may have been told to wait reads less now. */
  onFree: () => void = () => {};
  readonly #all: OriginReads;
  readonly #nameNow: () => string | undefined;
  readonly #reading = new Map<HostId, number>();
  readonly #freed = () => this.onFree();
  #known: string | undefined;
  #waitingSinceMs: number | undefined;

  constructor(all: OriginReads, name: () => string | undefined) {
    this.#all = all;
    this.#nameNow = name;
  }

  /** It stays what it was at first: what was counted there is taken back there. */
  get #name(): string {
    this.#known ??= this.#nameNow() ?? '';
    return this.#known;
  }

  get #origin(): Origin {
    return this.#all.origin(this.#name);
  }

  /** Says that a host would read the task now, or no longer; to be said once each. */
  want(host: HostId, is: boolean): void {
    count(this.#origin.wanting, host, is ? 1 : -1);
    if (!is) this.#all.settle(this.#name);
  }

  /** A host begins one read more of the task. */
  begin(host: HostId): void {
    this.#waitingSinceMs = undefined;
    if (count(this.#reading, host, 1) === 1) count(this.#origin.reading, host, 1);
  }

  /** One of a host's reads of the task ended. */
  end(host: HostId): void {
    if (count(this.#reading, host, -1) > 0) return;
    const { reading, waiting } = this.#origin;
    count(reading, host, -1);
    const freed = [...waiting];
    waiting.clear();
    for (const tell of freed) tell();
    this.#all.settle(this.#name);
  }

  /** Whether a host may read this task beside those of the same origin that it reads: the fewer, the more hosts there are. */
  mayBegin(host: HostId, nowMs: number): boolean {
    if (this.#reading.has(host)) return true;
    const { reading, wanting, waiting } = this.#origin;
    const share = Math.floor(LIMITS.originLeasesPerTask / Math.max(1, wanting.size));
    const most = Math.max(LIMITS.originLeasesPerHost, Math.min(LIMITS.originLeasesLoneHost, share));
    if ((reading.get(host) ?? 0) < most) return true;
    waiting.add(this.#freed);
    if (this.#reading.size > 0) return false;
    this.#waitingSinceMs ??= nowMs;
    return nowMs - this.#waitingSinceMs >= PATIENCE_MS;
  }
}

/** Changes a count, which is dropped at 0; returns what it is now. */
function count(counts: Map<HostId, number>, host: HostId, by: number): number {
  const now = (counts.get(host) ?? 0) + by;
  if (now > 0) counts.set(host, now);
  else counts.delete(host);
  return now;
}
