import type { HostId } from '../../../core/ids.ts';
import type { LeaseSet } from '../../../core/sync-messages.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskChart } from './chart.ts';
import type { TaskClaim } from './claim.ts';
import type { TaskPeer } from './peer.ts';
import type { StuckPeers } from './stuck-peers.ts';
import type { Suspects } from './suspects.ts';

/** What the state of a task adds to the lease set of a host: what it is to do for the task, and why it waits. */
export class TaskWord {
  readonly #world: SchedulerWorld;
  readonly #claim: TaskClaim;
  readonly #chart: TaskChart;
  readonly #stuck: StuckPeers;
  readonly #suspects: Suspects;

  constructor(
    world: SchedulerWorld,
    claim: TaskClaim,
    chart: TaskChart,
    stuck: StuckPeers,
    suspects: Suspects,
  ) {
    this.#world = world;
    this.#claim = claim;
    this.#chart = chart;
    this.#stuck = stuck;
    this.#suspects = suspects;
  }

  for(hostId: HostId, peer: TaskPeer): Pick<LeaseSet, 'error' | 'samples' | 'suspects' | 'probe' | 'state'> {
    const error = this.#chart.error ?? this.#stuck.errorFor(peer);
    const samples = this.#chart.samplesOf(hostId)?.slice();
    const probe = this.#shouldProbe(hostId, peer) || undefined;
    const suspects = this.#suspects.of(hostId);
    return { error, samples, suspects, probe, state: this.#chart.state };
  }

  /** Whether it is this host's to ask the origin for its first bytes, from now on or already: one host at a time. */
  #shouldProbe(hostId: HostId, peer: TaskPeer): boolean {
    const nowMs = this.#world.clock.now();
    if (!peer.wants || !peer.mayReadOrigin || nowMs < this.#world.recoveredAtMs) return false;
    if (this.#chart.state === 'pending' && this.#claim.reads.mayBegin(hostId, nowMs)) {
      this.#chart.send({ type: 'probe.assigned', hostId });
    }
    const isProber = this.#chart.prober === hostId;
    if (isProber) this.#claim.asks(hostId);
    return isProber;
  }
}
