import type { Bus } from '../../transport/bus.ts';
import type { World } from '../world.ts';

/** Questions without an answer at most: beyond, what is read is old enough. */
const MOST_OPEN = 32;
/** The way to NATS and back is what the fastest echo took; after each one it may be so much longer, ms. */
const FARTHER_MS = 0.1;

/**
 * How long what a scheduler reads has waited for it. NATS is asked for an echo again and again, which comes in line behind
 * all that is unread: while the oldest is not back, whatever is read was sent before it.
 */
export class Backlog {
  readonly #clock: World['clock'];
  readonly #bus: Pick<Bus, 'state' | 'echo'>;
  /** When the echoes were asked for that are not back, ms. */
  readonly #open: number[] = [];
  #lastMs = 0;
  #wayMs = Number.POSITIVE_INFINITY;

  constructor({ clock, bus }: Pick<World, 'clock'> & { readonly bus: Pick<Bus, 'state' | 'echo'> }) {
    this.#clock = clock;
    this.#bus = bus;
  }

  /** Asks for an echo; called several times a second. */
  ask(): void {
    if (this.#bus.state !== 'connected' || this.#open.length >= MOST_OPEN) return;
    const sentMs = this.#clock.now();
    this.#open.push(sentMs);
    const back = () => void this.#open.splice(this.#open.indexOf(sentMs), 1);
    this.#bus.echo().then(() => {
      back();
      this.#lastMs = this.#clock.now() - sentMs;
      this.#wayMs = Math.min(this.#lastMs, this.#wayMs + FARTHER_MS);
    }, back);
  }

  /** What is read now has waited for so long at least, ms. */
  get ageMs(): number {
    const [oldest] = this.#open;
    return oldest === undefined ? 0 : this.#beyondWay(this.#clock.now() - oldest);
  }

  /** What is read now has waited for about so long, ms. */
  get aboutMs(): number {
    return Math.max(this.#beyondWay(this.#lastMs), this.ageMs);
  }

  #beyondWay(ms: number): number {
    return Number.isFinite(this.#wayMs) ? Math.max(0, ms - this.#wayMs) : ms;
  }
}
