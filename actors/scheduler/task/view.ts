import type { HostId, TaskId } from '../../../core/ids.ts';
import type { TaskAudience } from '../../../core/probed.ts';
import type { TaskState } from '../../../core/sync-messages.ts';
import type { TaskClaim } from './claim.ts';
import type { TaskContent } from './content.ts';
import type { TaskPeer } from './peer.ts';

type Peers = ReadonlyMap<HostId, TaskPeer>;

/** What `task ls` shows. */
export interface TaskView {
  readonly taskId: TaskId;
  readonly state: TaskState;
  readonly length: number | undefined;
  readonly pieceLength: number | undefined;
  readonly sources: readonly string[];
  /** Hosts that have all. */
  readonly holders: number;
  /** Hosts that want pieces. */
  readonly fetching: number;
  readonly audience: TaskAudience;
}

/** The row of a task somebody works on. */
export function taskRow(
  state: TaskState,
  content: TaskContent,
  { ledger }: TaskClaim,
  peers: Peers,
): TaskView {
  const { taskId, length, pieceLength, audience } = content;
  const sources = content.sources.map(({ url }) => url);
  let holders = 0;
  for (const hostId of ledger.hosts()) if (ledger.complete(hostId)) holders += 1;
  let fetching = 0;
  for (const { wants } of peers.values()) if (wants) fetching += 1;
  return { taskId, state, length, pieceLength, sources, holders, fetching, audience };
}

/** What `task show` shows beside the row, host by host. */
export function peerRows(pieces: number | undefined, { ledger }: TaskClaim, peers: Peers) {
  return [...peers].map(([hostId, { wants, received, originReasons: reasons }]) => {
    const state = wants ? 'fetching' : ledger.complete(hostId) ? 'complete' : 'resting';
    return {
      hostId,
      have: ledger.held(hostId),
      pieces: pieces ?? 0,
      bytes: received,
      originReasons: reasons,
      state,
    };
  });
}

/** Bytes that these hosts read from the origin, by reason. */
export function originReasons(peers: Peers): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const peer of peers.values()) {
    for (const [reason, bytes] of Object.entries(peer.originReasons))
      sum[reason] = (sum[reason] ?? 0) + bytes;
  }
  return sum;
}
