import { formatDuration } from '../../core/units.ts';
import type { RefusedEpoch } from './membership.ts';
import type { HostWorld } from './world.ts';

/** Why the word of a scheduler is not believed, for people. */
export function refusalText({ why, epoch, against }: RefusedEpoch): string {
  if (why === 'older') {
    return `refused: the scheduler has epoch ${epoch}, this host goes by ${against}; downloads go on without it`;
  }
  const by = formatDuration(epoch - against);
  return `refused: epoch ${epoch} is ${by} ahead of this host's clock; one of the two clocks is wrong`;
}

/** Tells, once for each epoch, that a scheduler is not believed. */
export function tellRefused({ emit, log, metrics, hostId }: HostWorld, refused: RefusedEpoch): void {
  const { why, epoch, against } = refused;
  metrics.epochRefused(why);
  log.warn({ epoch, against, why }, `the word of a scheduler is ${refusalText(refused)}`);
  emit('scheduler.refused', hostId, { hostId, epoch, against, why });
}
