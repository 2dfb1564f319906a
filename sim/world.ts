import { ShoalError } from '../core/errors.ts';
import type { ShoalEvent } from '../core/events.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import type { RegistryClient } from '../origins/registry/registry.ts';
import { createMemoryHub } from '../transport/memory-bus.ts';
import type { Fault, MessageFlight } from '../transport/memory-hub.ts';
import { SimClock } from './clock.ts';
import { SimHost } from './host.ts';
import { SimNetwork, SimNode } from './network.ts';
import { type SimContent, SimOriginServer } from './origin.ts';
import type { SimPlace } from './place.ts';
import { SimRandom } from './random.ts';
import { SimScheduler } from './scheduler.ts';

/** What a simulation is made of. */
export interface SimOptions {
  readonly seed: number | string;
  /** Hosts, of which the first `seeds` are seeds. */
  readonly hosts: number;
  readonly seeds?: number;
  /** Rate of every link, each way; the origin's is the same unless given. */
  readonly linkBytesPerSec: number;
  readonly originBytesPerSec?: number;
  /** One way, ms. */
  readonly latencyMs?: number;
  readonly log?: Logger;
}

/** Shares of the messages on the bus to which something happens; 0 to 1. */
export interface SimFaults {
  drop: number;
  duplicate: number;
  /** Delayed by up to `delayMs`, and so overtaken by later ones. */
  delay: number;
  delayMs: number;
}

/** One line of the event log. */
export interface SimEvent extends ShoalEvent {
  /** Virtual ms since the start. */
  readonly atMs: number;
  readonly speaker: string;
}

/** A swarm in one process: virtual time, simulated links, faults from a seed. One seed replays one history. */
export class Simulation {
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly faults: SimFaults = { drop: 0, duplicate: 0, delay: 0, delayMs: 100 };
  readonly origin: SimOriginServer;
  readonly hosts: readonly SimHost[];
  readonly scheduler: SimScheduler;
  /** A second scheduler, which runs only where it is started. */
  readonly rival: SimScheduler;
  readonly events: SimEvent[] = [];
  /** Loses every message for which it is true, whatever the faults are. */
  lose: (flight: MessageFlight) => boolean = () => false;
  /** What registries answer to the claims of a mirror's clients; out of reach unless it is set. */
  registry: RegistryClient['ask'] = () =>
    Promise.reject(new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no registry here'));
  readonly network: SimNetwork;
  readonly place: SimPlace;
  readonly #faultRandom: SimRandom;

  constructor(options: SimOptions) {
    const { clock } = this;
    const { linkBytesPerSec, originBytesPerSec = linkBytesPerSec, latencyMs = 1 } = options;
    this.random = new SimRandom(options.seed);
    this.#faultRandom = this.random.fork('faults');
    const hub = createMemoryHub({
      clock,
      random: this.random.fork('hub'),
      latencyMs: () => latencyMs,
      fault: (flight) => this.#fault(flight),
    });
    const network = new SimNetwork(clock, latencyMs);
    this.network = network;
    this.origin = new SimOriginServer(new SimNode('origin', originBytesPerSec));
    const place: SimPlace = {
      clock,
      random: this.random,
      network,
      hub,
      origin: this.origin,
      registry: { ask: (request, signal) => this.registry(request, signal) },
      log: options.log ?? silentLogger,
      kept: { keys: new Map() },
      emitter: (speaker, isAlive) => (type, id, data) => {
        if (isAlive())
          this.events.push({ atMs: clock.now(), speaker, type, id, data: structuredClone(data) });
      },
    };
    this.place = place;
    this.scheduler = new SimScheduler(place, 'scheduler');
    this.rival = new SimScheduler(place, 'rival');
    const byIp = new Map<string, SimHost>();
    this.hosts = Array.from({ length: options.hosts }, (_, index) => {
      const role = index < (options.seeds ?? 0) ? 'seed' : 'normal';
      const find = ({ ip }: { ip: string }) => byIp.get(ip)?.server;
      const host = new SimHost(place, { index, role, bytesPerSec: linkBytesPerSec, find });
      byIp.set(host.address.ip, host);
      return host;
    });
  }

  /** Starts the scheduler and every host. */
  start(): void {
    this.scheduler.start();
    for (const host of this.hosts) host.start();
  }

  /** Puts content at a URL of the origin: `length` bytes from the seed, unless they are given. */
  publish(url: string, length: number, more: Partial<SimContent> = {}): SimContent {
    const content = { etag: `"${url}"`, bytes: more.bytes ?? this.random.fork(url).bytes(length), ...more };
    this.origin.contents.set(url, content);
    return content;
  }

  /** Lets `forMs` of virtual time pass, or less where `done` holds before; returns whether it held. */
  run(forMs: number, done?: () => boolean): Promise<boolean> {
    return this.clock.run(this.clock.now() + forMs, done);
  }

  /** Runs something at a moment from now, virtual ms. */
  at(delayMs: number, run: () => void): void {
    this.clock.after(delayMs, run);
  }

  /** Cuts NATS off for everybody, or brings it back. */
  cutNats(cut: boolean): void {
    this.scheduler.cutBus(cut);
    this.rival.cutBus(cut);
    for (const host of this.hosts) host.cutBus(cut);
  }

  /** The event log as text, a line an event: what two runs of one seed have in common. */
  history(): string {
    return this.events.map((event) => JSON.stringify(event)).join('\n');
  }

  #fault(flight: MessageFlight): Fault | undefined {
    const { drop, duplicate, delay, delayMs } = this.faults;
    if (this.lose(flight)) return { drop: true };
    const random = this.#faultRandom;
    if (random.chance(drop)) return { drop: true };
    const fault: { duplicates?: number; delayMs?: number } = {};
    if (random.chance(duplicate)) fault.duplicates = 1;
    if (random.chance(delay)) fault.delayMs = random.next() * delayMs;
    return fault;
  }
}

/** Makes a swarm that is not started yet. */
export function createSimulation(options: SimOptions): Simulation {
  return new Simulation(options);
}
