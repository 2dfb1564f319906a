import { performance } from 'node:perf_hooks';
import type { Clock } from '../core/clock.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import type { Bus } from './bus.ts';
import { newCounters } from './counters.ts';
import type { NatsDoors } from './nats-client.ts';
import type { NatsTarget } from './nats-options.ts';
import { NatsWire } from './nats-wire.ts';
import { TypedBus } from './typed-bus.ts';

/** Where NATS is, as whom to join it, and which swarm to be of. */
export interface NatsBusOptions extends NatsTarget, NatsDoors {
  readonly swarm: string;
  readonly logger?: Logger;
  /** How many servers of NATS are to keep what is kept; absent: three of a cluster, else one. */
  readonly replicas?: number | undefined;
}

const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * A bus over NATS. It returns at once, connects in the background, and reconnects for ever; subscriptions made before
 * the first connection are made with it.
 * @throws ERR_CONFIG_INVALID (a server URL, the swarm's name, the client's name, a login)
 */
export function connectNatsBus(options: NatsBusOptions): Bus {
  const { swarm, logger = silentLogger, onOpen, onRefused, replicas, ...target } = options;
  const counters = newCounters();
  const wire = new NatsWire({ target, swarm, counters, logger, replicas, doors: { onOpen, onRefused } });
  return new TypedBus({ name: target.name, wire, swarm, counters, logger, clock: realClock });
}
