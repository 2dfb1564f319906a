import type { Clock } from '../../../core/clock.ts';
import type { HostId } from '../../../core/ids.ts';
import type { TaskReads } from '../../../scheduling/origin-reads.ts';

/** A probe that takes longer is given to another host. */
const PROBE_MS = 5_000;

/** Which host was asked for the origin's first bytes while the length is unknown: one at a time. */
export class TaskProbe {
  readonly #clock: Clock;
  readonly #reads: TaskReads;
  #asked: { readonly hostId: HostId; readonly untilMs: number } | undefined;

  constructor(clock: Clock, reads: TaskReads) {
    this.#clock = clock;
    this.#reads = reads;
  }

  get isRunning(): boolean {
    return this.#asked !== undefined && this.#asked.untilMs > this.#clock.now();
  }

  /** Whether it is this host's to do, from now on or already. */
  assign(hostId: HostId): boolean {
    const nowMs = this.#clock.now();
    if (this.isRunning) return this.#asked?.hostId === hostId;
    if (!this.#reads.mayBegin(hostId, nowMs)) return false;
    if (this.#asked !== undefined) this.end(this.#asked.hostId);
    this.#asked = { hostId, untilMs: nowMs + PROBE_MS };
    this.#reads.begin(hostId);
    return true;
  }

  /** The host answered, failed or is gone. */
  end(hostId: HostId): void {
    if (this.#asked?.hostId !== hostId) return;
    this.#asked = undefined;
    this.#reads.end(hostId);
  }
}
