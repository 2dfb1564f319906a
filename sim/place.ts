import type { Emit } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { RegistryClient } from '../origins/registry/registry.ts';
import type { MemoryHub } from '../transport/memory-bus.ts';
import type { SimClock } from './clock.ts';
import type { SimNetwork } from './network.ts';
import type { SimOriginServer } from './origin.ts';
import type { SimRandom } from './random.ts';

/** What all processes of a simulation share. */
export interface SimPlace {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly network: SimNetwork;
  readonly hub: MemoryHub;
  readonly origin: SimOriginServer;
  /** What mirrors ask. */
  readonly registry: RegistryClient;
  readonly log: Logger;
  /** Writes events of one process to the event log, while it lives. */
  emitter(speaker: string, isAlive: () => boolean): Emit;
}
