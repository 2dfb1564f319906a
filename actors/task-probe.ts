import type { Clock } from '../core/clock.ts';
import type { HostId } from '../core/ids.ts';

/** A probe that takes longer is given to another host. */
const PROBE_MS = 5_000;

/** Which host was asked for the origin's first bytes while the length is unknown: one at a time. */
export class TaskProbe {
  readonly #clock: Clock;
  #asked: { readonly hostId: HostId; readonly untilMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isRunning(): boolean {
    return this.#asked !== undefined && this.#asked.untilMs > this.#clock.now();
  }

  /** Whether it is this host's to do, from now on or already. */
  assign(hostId: HostId): boolean {
    if (this.isRunning) return this.#asked?.hostId === hostId;
    this.#asked = { hostId, untilMs: this.#clock.now() + PROBE_MS };
    return true;
  }

  /** The host answered, failed or is gone. */
  end(hostId: HostId): void {
    if (this.#asked?.hostId === hostId) this.#asked = undefined;
  }
}
