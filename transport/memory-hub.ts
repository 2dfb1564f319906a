import type { Clock, Random } from '../core/clock.ts';
import { randomInt } from '../core/clock.ts';
import type { BusState } from './bus.ts';
import { MemoryStore } from './memory-store.ts';
import type { WireMessage } from './wire.ts';

/** A message on its way between two buses of a hub; `to` is `nats` for the store. */
export interface MessageFlight {
  readonly kind: 'publish' | 'request' | 'reply';
  readonly from: string;
  readonly to: string;
  readonly subject: string;
}

/** The time of the process that a bus belongs to, and whether it gets to what comes. */
export interface ProcessTime extends Clock {
  /** Runs something now, or as soon as the process runs. */
  take(run: () => void): void;
}

/** What goes wrong with one message. A delayed one is overtaken by later ones. */
export interface Fault {
  readonly drop?: boolean;
  /** Copies beyond the first. */
  readonly duplicates?: number;
  readonly delayMs?: number;
}

/** What a hub is given: time, randomness, and the faults to inject. */
export interface MemoryHubOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** One way, by bus name; 0 where absent. */
  readonly latencyMs?: (from: string, to: string) => number;
  /** Loses the next message where true. */
  readonly drop?: () => boolean;
  readonly fault?: (flight: MessageFlight) => Fault | undefined;
}

/** The name of the store as a place, for latencies. */
export const STORE_PLACE = 'nats';

/** Who hears what, in the place of a NATS server: delivery by the clock alone, in order between two buses. */
export class MemorySwitch {
  readonly clock: Clock;
  readonly store = new MemoryStore();
  readonly wires = new Set<HubWire>();
  readonly #options: MemoryHubOptions;
  readonly #lanes = new Map<string, { readonly queue: (() => void)[]; lastAt: number }>();

  constructor(options: MemoryHubOptions) {
    this.#options = options;
    this.clock = options.clock;
  }

  latencyMs(from: string, to: string): number {
    return Math.max(0, this.#options.latencyMs?.(from, to) ?? 0);
  }

  /** Runs `arrive` at the far end, as often and as late as the faults say. */
  fly(flight: MessageFlight, arrive: () => void): void {
    if (this.#options.drop?.() === true) return;
    const fault = this.#options.fault?.(flight);
    if (fault?.drop === true) return;
    const latencyMs = this.latencyMs(flight.from, flight.to);
    for (let copy = 0; copy <= (fault?.duplicates ?? 0); copy += 1) {
      if (fault?.delayMs !== undefined) this.clock.after(latencyMs + fault.delayMs, arrive);
      else this.#inOrder(`${flight.from}\n${flight.to}`, latencyMs, arrive);
    }
  }

  /** Hands a message to every plain listener and to one of each queue; false where nobody listens. */
  route(
    kind: 'publish' | 'request',
    from: HubWire,
    subject: string,
    deliver: (to: Listener) => void,
  ): boolean {
    const receivers: Listener[] = [];
    const queues = new Map<string, Listener[]>();
    for (const wire of this.wires) {
      for (const listener of wire.listeners(subject)) {
        if (listener.queue === undefined) receivers.push(listener);
        else {
          const members = queues.get(listener.queue);
          if (members === undefined) queues.set(listener.queue, [listener]);
          else members.push(listener);
        }
      }
    }
    for (const members of queues.values()) {
      const chosen = members[randomInt(this.#options.random, members.length)];
      if (chosen !== undefined) receivers.push(chosen);
    }
    for (const listener of receivers) {
      this.fly({ kind, from: from.name, to: listener.wire.name, subject }, () => {
        listener.wire.process.take(() => {
          if (listener.open && listener.wire.state === 'connected') deliver(listener);
        });
      });
    }
    return receivers.length > 0;
  }

  /** A timer fires for the head of its lane, whichever message set it: two messages never overtake each other. */
  #inOrder(name: string, latencyMs: number, arrive: () => void): void {
    const lane = this.#lanes.get(name) ?? { queue: [], lastAt: 0 };
    this.#lanes.set(name, lane);
    lane.lastAt = Math.max(lane.lastAt, this.clock.now() + latencyMs);
    lane.queue.push(arrive);
    this.clock.after(Math.max(0, lane.lastAt - this.clock.now()), () => lane.queue.shift()?.());
  }
}

/** What the hub knows of a wire. */
export interface HubWire {
  readonly name: string;
  readonly state: BusState;
  readonly process: ProcessTime;
  /** Its subscriptions to a subject. */
  listeners(subject: string): readonly Listener[];
}

/** One subscription of one wire. */
export interface Listener {
  readonly wire: HubWire;
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly handler: (message: WireMessage) => void;
  open: boolean;
}
