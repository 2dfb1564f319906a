import { ShoalError, type WireError } from '../../../core/errors.ts';
import type { HostId } from '../../../core/ids.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskChart } from './chart.ts';
import type { TaskClaim } from './claim.ts';
import type { TaskContent } from './content.ts';
import type { TaskPeer } from './peer.ts';

/** Nothing to be got for this long, and the host is told why. */
const STUCK_MS = 3_000;

/** Tells hosts why they wait in vain: for a while nobody has had what they lack, and nobody may read the origin. */
export class StuckPeers {
  readonly #world: SchedulerWorld;
  readonly #content: TaskContent;
  readonly #claim: TaskClaim;
  readonly #peers: ReadonlyMap<HostId, TaskPeer>;
  readonly #chart: TaskChart;

  constructor(
    world: SchedulerWorld,
    content: TaskContent,
    claim: TaskClaim,
    peers: ReadonlyMap<HostId, TaskPeer>,
    chart: TaskChart,
  ) {
    this.#world = world;
    this.#content = content;
    this.#claim = claim;
    this.#peers = peers;
    this.#chart = chart;
  }

  /** Why nothing can be got for a host; undefined where something can, or might yet. */
  errorFor(peer: TaskPeer): WireError | undefined {
    const nowMs = this.#world.clock.now();
    const sinceMs = peer.stuckSince(this.#isStuck(), nowMs);
    if (sinceMs === undefined || nowMs - Math.max(sinceMs, this.#world.recoveredAtMs) < STUCK_MS) {
      return undefined;
    }
    const { taskId, sources } = this.#content;
    if (sources.length === 0) {
      const message = `nobody in the swarm holds ${taskId}, and no source is known`;
      return new ShoalError('ERR_DIGEST_NO_SOURCE', message).toWire();
    }
    const told = peer.error ?? [...this.#peers.values()].find(({ error }) => error !== undefined)?.error;
    const message = 'no live host holds what is missing, and none of those that want it may read the origin';
    return told ?? new ShoalError('ERR_SOURCE_FORBIDDEN', message).toWire();
  }

  #isStuck(): boolean {
    if (this.#content.pieceLength !== undefined) return this.#claim.ledger.stuck;
    if (this.#chart.prober !== undefined) return false;
    return ![...this.#peers.values()].some(({ mayReadOrigin, wants }) => mayReadOrigin && wants);
  }
}
