import type { HostId, TaskId } from '../../../core/ids.ts';
import type { TaskAudience } from '../../../core/probed.ts';
import type { TaskState } from '../../../core/sync-messages.ts';
import type { TaskClaim } from './claim.ts';
import type { TaskContent } from './content.ts';
import type { TaskPeer } from './peer.ts';

/** Parts of a task that a host's holdings are shown in. */
const MOST_CELLS = 64;

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

/** What people are shown of a task that somebody works on. */
export class TaskShown {
  readonly #state: () => TaskState;
  readonly #content: TaskContent;
  readonly #claim: TaskClaim;
  readonly #peers: Peers;

  constructor(state: () => TaskState, content: TaskContent, claim: TaskClaim, peers: Peers) {
    this.#state = state;
    this.#content = content;
    this.#claim = claim;
    this.#peers = peers;
  }

  row(): TaskView {
    const { taskId, length, pieceLength, audience } = this.#content;
    const { ledger } = this.#claim;
    const sources = this.#content.sources.map(({ url }) => url);
    let holders = 0;
    for (const hostId of ledger.hosts()) if (ledger.complete(hostId)) holders += 1;
    let fetching = 0;
    for (const { wants } of this.#peers.values()) if (wants) fetching += 1;
    return { taskId, state: this.#state(), length, pieceLength, sources, holders, fetching, audience };
  }

  /** What `task show` tells beside the row, host by host. */
  peers() {
    const { ledger } = this.#claim;
    const pieces = this.#content.pieces ?? 0;
    return [...this.#peers].map(([hostId, { wants, received, originReasons }]) => {
      const state = wants ? 'fetching' : ledger.complete(hostId) ? 'complete' : 'resting';
      return { hostId, have: ledger.held(hostId), pieces, bytes: received, originReasons, state };
    });
  }

  /** What one host holds in the order of the content, and from whom it takes more; nothing while the length is not known. */
  cellsOf(hostId: HostId): { readonly cells?: string; readonly from?: readonly string[] } {
    const { pieces } = this.#content;
    if (pieces === undefined) return {};
    const { ledger } = this.#claim;
    const count = Math.min(MOST_CELLS, pieces);
    let cells = '';
    for (let cell = 0; cell < count; cell += 1) {
      const first = Math.floor((cell * pieces) / count);
      const end = Math.floor(((cell + 1) * pieces) / count);
      let held = 0;
      for (let piece = first; piece < end; piece += 1) if (ledger.has(hostId, piece)) held += 1;
      cells += Math.floor((9 * held) / (end - first));
    }
    return { cells, from: [...new Set(ledger.leasesOf(hostId).map(({ parent }) => parent))] };
  }

  /** Bytes read from the origin by this swarm, by reason. */
  get originReasons(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { originReasons } of this.#peers.values()) {
      for (const [reason, bytes] of Object.entries(originReasons)) sum[reason] = (sum[reason] ?? 0) + bytes;
    }
    return sum;
  }
}
