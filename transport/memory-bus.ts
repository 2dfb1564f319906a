import { type Logger, silentLogger } from '../core/logger.ts';
import { newCounters } from './counters.ts';
import { type MemoryHubOptions, MemorySwitch } from './memory-hub.ts';
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

/** A NATS in memory: buses that hear each other, one task log, one set of directories. */
export interface MemoryHub {
  /** A new bus, connected, under a name that latencies and faults know it by. */
  bus(name: string, options?: { readonly logger?: Logger; readonly connected?: boolean }): MemoryBus;
}

/** Makes a hub that runs on the clock and the randomness handed in: one seed replays one history. */
export function createMemoryHub(options: MemoryHubOptions): MemoryHub {
  const hub = new MemorySwitch(options);
  return {
    bus: (name, { logger = silentLogger, connected = true } = {}) => {
      const wire = new MemoryWire(name, hub);
      if (!connected) wire.setState('disconnected');
      const parts = { name, wire, swarm: 'shoal', counters: newCounters(), logger, clock: options.clock };
      return new MemoryBus(wire, parts);
    },
  };
}
