import { onAbort } from '../core/on-abort.ts';
import type { Bus, Subscription } from '../transport/bus.ts';
import { GATEWAY_LIMITS } from './limits.ts';
import type { SentEvent } from './route.ts';

/** An event as it is on the bus: a CloudEvent. */
export interface HeardEvent {
  /** `peer.completed`. */
  readonly type: string;
  /** What it happened to. */
  readonly id: string;
  readonly body: unknown;
}

type Listener = (event: HeardEvent) => void;

/** The events of the swarm for many clients; the bus is heard once, and only while somebody listens. */
export class EventFeed {
  readonly #bus: Bus;
  readonly #listeners = new Set<Listener>();
  #subscription: Subscription | undefined;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Events from now on, until the signal aborts. Those that a slow client does not take are counted, not kept. */
  async *follow(fits: (event: HeardEvent) => boolean, signal: AbortSignal): AsyncGenerator<SentEvent> {
    const waiting: HeardEvent[] = [];
    let dropped = 0;
    let wake: () => void = () => undefined;
    const listener: Listener = (event) => {
      if (!fits(event)) return;
      if (waiting.length < GATEWAY_LIMITS.eventsWaiting) waiting.push(event);
      else dropped += 1;
      wake();
    };
    this.#add(listener);
    const unlisten = onAbort(signal, () => wake());
    try {
      while (!signal.aborted) {
        const event = waiting.shift();
        if (event !== undefined) yield { event: 'event', data: event.body };
        else if (dropped > 0) {
          const count = dropped;
          dropped = 0;
          yield { event: 'dropped', data: { dropped: count } };
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      unlisten();
      this.#remove(listener);
    }
  }

  #add(listener: Listener): void {
    this.#listeners.add(listener);
    this.#subscription ??= this.#bus.subscribeEvents((subject, body) => {
      const [noun = '', verb = '', , ...rest] = subject.split('.');
      const event = { type: `${noun}.${verb}`, id: rest.join('.'), body };
      for (const each of this.#listeners) each(event);
    });
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#subscription?.close();
    this.#subscription = undefined;
  }
}
