import type { Bus } from '../../transport/bus.ts';
import type { World } from '../world.ts';
import type { Backlog } from './backlog.ts';

/** What has waited unread for so long may be a word of a host that seems silent. */
const UNREAD_MS = 500;

/** Whether a scheduler could hear its hosts: for the time it could not, their silence proves nothing. */
export class Attention {
  readonly #clock: World['clock'];
  readonly #bus: Pick<Bus, 'state'>;
  readonly #backlog: Pick<Backlog, 'ageMs'>;
  readonly #everyMs: number;
  #lookedMs: number;

  /** @param everyMs how often it is looked at */
  constructor(
    { clock, bus }: Pick<World, 'clock'> & { readonly bus: Pick<Bus, 'state'> },
    backlog: Pick<Backlog, 'ageMs'>,
    everyMs: number,
  ) {
    this.#clock = clock;
    this.#bus = bus;
    this.#backlog = backlog;
    this.#everyMs = everyMs;
    this.#lookedMs = clock.now();
  }

  /** How much of the time since the last look no host could be heard, ms. */
  missedMs(): number {
    const elapsedMs = this.#clock.now() - this.#lookedMs;
    this.#lookedMs += elapsedMs;
    if (this.#bus.state !== 'connected' || this.#backlog.ageMs > UNREAD_MS) return elapsedMs;
    const lateMs = elapsedMs - this.#everyMs;
    return lateMs > this.#everyMs ? lateMs : 0;
  }
}
