import type { OriginReadReason } from '../../../core/origin-reasons.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { LeaseSets } from './lease-sets.ts';
import type { PeerProgress } from './progress.ts';

interface OriginReasonOf {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly chart: PeerChart;
  readonly sets: LeaseSets;
  readonly progress: PeerProgress;
}

/**
 * Why a piece comes from the origin now, and not from a host: the first reason that holds.
 * @param isUngiven a host was asked for it and did not give it
 */
export function originReason(
  { world, content, chart, sets, progress }: OriginReasonOf,
  isUngiven: boolean,
): OriginReadReason {
  if (world.alone) return 'lone-host';
  if (chart.state === 'adrift') return sets.refused === undefined ? 'adrift' : 'refused-epoch';
  if (chart.state === 'starved') return progress.cause;
  if (content.audience === 'source') return 'credentials';
  if (progress.isCutOff) return 'unreachable';
  return isUngiven ? 'no-parent' : 'no-holder';
}
