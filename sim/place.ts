import type { Emit } from '../core/events.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import type { RegistryClient } from '../origins/registry/registry.ts';
import type { MemoryHub } from '../transport/memory-bus.ts';
import type { SimClock } from './clock.ts';
import type { SimNetwork } from './network.ts';
import type { SimOriginServer } from './origin.ts';
import type { SimRandom } from './random.ts';

/** The name of every simulated swarm. */
export const SWARM = 'shoal';

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
  /** What schedulers keep in NATS beside the log: the keys that they sign with. */
  readonly kept: { readonly keys: Map<string, Uint8Array> };
  /** Writes events of one process to the event log, while it lives. */
  emitter(speaker: string, isAlive: () => boolean): Emit;
}

/** A log whose lines name the process that they are of. */
export function spokenBy(speaker: string, log: Logger): Logger {
  if (log === silentLogger) return log;
  return {
    debug: (fields, message) => log.debug({ speaker, ...fields }, message),
    info: (fields, message) => log.info({ speaker, ...fields }, message),
    warn: (fields, message) => log.warn({ speaker, ...fields }, message),
    error: (fields, message) => log.error({ speaker, ...fields }, message),
  };
}
