import { formatDuration } from '../../core/units.ts';
import { refusalText } from './epoch-refusal.ts';
import type { Membership } from './membership.ts';
import type { Peers } from './peers.ts';

/** What keeps a host from the best of its swarm, by what it concerns; each in words. */
export type Troubles = Partial<Record<'scheduler' | 'clock' | 'downloads', string>>;

/** Why downloads go on without a scheduler, or past what it says, for people. */
export function troublesOf(membership: Membership, peers: Peers): Troubles {
  const { refused, clockAheadMs } = membership;
  const { adrift, starved } = peers.astray;
  const downloads = [
    ...(adrift === 0 ? [] : [`${adrift} go on without a scheduler`]),
    ...(starved === 0 ? [] : [`${starved} get nothing by what the scheduler says, and read the origin`]),
  ];
  return {
    ...(refused === undefined ? {} : { scheduler: refusalText(refused) }),
    ...(clockAheadMs === undefined ? {} : { clock: clockText(clockAheadMs) }),
    ...(downloads.length === 0 ? {} : { downloads: downloads.join('; ') }),
  };
}

/** A clock that differs so much that other hosts would refuse what this one signs by it. */
export function clockText(aheadMs: number): string {
  const by = formatDuration(Math.abs(aheadMs));
  return `${by} ${aheadMs > 0 ? 'ahead of' : 'behind'} the scheduler's, by which hosts prove themselves: one is wrong`;
}
