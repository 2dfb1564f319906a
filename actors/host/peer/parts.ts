import type { Membership } from '../membership.ts';
import type { HostWorld } from '../world.ts';
import { Adrift } from './adrift.ts';
import type { PeerChart } from './chart.ts';
import { PeerContent } from './content.ts';
import type { PeerInput } from './input.ts';
import { LeaseSets } from './lease-sets.ts';
import { PeerNeeds } from './needs.ts';
import { PeerOrigin } from './origin.ts';
import { originReason } from './origin-reason.ts';
import { PeerProgress } from './progress.ts';
import type { PeerShare } from './share.ts';
import { PeerStats } from './stats.ts';
import { PeerStory } from './story.ts';
import { PeerSync } from './sync.ts';
import { SyncState } from './sync-state.ts';
import { PeerTransfers } from './transfers.ts';
import { WholeCheck } from './whole-check.ts';

/** What one peer is made of. */
export type PeerParts = ReturnType<typeof createParts>;

/** Makes the parts of a peer, which tell its chart what happens. */
export function createParts(
  chart: PeerChart,
  world: HostWorld,
  membership: Membership,
  share: PeerShare,
  input: PeerInput,
) {
  const { taskId, sources, opened } = input;
  const { pool, pace, received, nextSeq, deliveries } = share;
  const life = Buffer.from(world.random.bytes(8)).toString('hex');
  const abort = new AbortController();
  const clients = new Set<() => void>();
  const content = new PeerContent(world.store, taskId, sources, life);
  const stats = new PeerStats(world.clock, share);
  const story = new PeerStory(world, taskId);
  const told = new SyncState(world.incarnation, content, nextSeq);
  const base = { chart, world, content, pool, stats, story, sync: told };
  const origin = new PeerOrigin(input, world, content);
  const transfers: PeerTransfers = new PeerTransfers({
    ...base,
    origin,
    received,
    originReason: (isUngiven) => originReason({ ...base, sets, progress }, isUngiven),
    shuns: (run) => chart.state === 'starved' && adrift.shuns(run),
  });
  const { book } = transfers;
  const sets = new LeaseSets({ ...base, membership, book });
  const needs = new PeerNeeds({ ...base, origin, transfers, sets });
  const sync = new PeerSync({ ...base, pace, needs, sets });
  const adrift: Adrift = new Adrift({ ...base, book, origin, sets, needs });
  const progress = new PeerProgress({ ...base, book, received });
  const whole = new WholeCheck(content, abort.signal);
  const work = { content, stats, story, told, origin, transfers, sets, needs, sync, adrift, progress, whole };
  return { ...work, chart, world, clients, opened, abort, deliveries };
}
