import { type Logger, silentLogger } from '../core/logger.ts';
import { newCounters } from './counters.ts';
import { type MemoryHubOptions, MemorySwitch, type ProcessTime } from './memory-hub.ts';
import { MemoryWire } from './memory-wire.ts';
import { TypedBus, type TypedBusParts } from './typed-bus.ts';

/** One bus of a hub; it can be cut off and joined again. */
export class MemoryBus extends TypedBus {
  readonly #wire: MemoryWire;

  constructor(wire: MemoryWire, parts: TypedBusParts) {
    super(parts);
    this.#wire = wire;
  }

  /** Cuts this bus off, or joins it again; what is in flight towards it is lost meanwhile. */
  setConnected(on: boolean): void {
    this.#wire.setState(on ? 'connected' : 'disconnected');
  }
}

/** What a bus in memory may be given. */
export interface MemoryBusOptions {
  readonly logger?: Logger;
  readonly connected?: boolean;
  /** The process it is of; absent: one that always runs. */
  readonly process?: ProcessTime;
}

/** A NATS in memory: buses that hear each other, one task log, one set of directories. */
export interface MemoryHub {
  /** A new bus, connected, under a name that latencies and faults know it by. */
  bus(name: string, options?: MemoryBusOptions): MemoryBus;
  /** Loses all that is kept. */
  wipe(): void;
}

/** Makes a hub that runs on the clock and the randomness handed in: one seed replays one history. */
export function createMemoryHub(options: MemoryHubOptions): MemoryHub {
  const hub = new MemorySwitch(options);
  const { clock } = options;
  const always: ProcessTime = {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (delayMs, run) => clock.after(delayMs, run),
    take: (run) => run(),
  };
  return {
    wipe: () => hub.store.wipe(),
    bus: (name, { logger = silentLogger, connected = true, process = always } = {}) => {
      const wire = new MemoryWire(name, hub, process);
      if (!connected) wire.setState('disconnected');
      const parts = { name, wire, swarm: 'shoal', counters: newCounters(), logger, clock: process };
      return new MemoryBus(wire, parts);
    },
  };
}
