import type { Clock, Random } from '../core/clock.ts';
import type { Emit } from '../core/events.ts';
import type { Logger } from '../core/logger.ts';
import type { Bus } from '../transport/bus.ts';

/** What every actor is given instead of the real world: the seam that a simulation replaces. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly bus: Bus;
  readonly emit: Emit;
  readonly log: Logger;
}
