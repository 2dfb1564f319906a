import { randomInt } from '../../../core/clock.ts';
import type { HostId, TaskId } from '../../../core/ids.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskChart } from './chart.ts';
import type { TaskClaim } from './claim.ts';

/** Readers that samples are taken of at most. */
const READERS = 16;

/**
 * The whole contradicts the digest: pieces read again decide between a reader that passed on other bytes than the
 * origin gave, and a source that has other content.
 */
export class Resampling {
  readonly #world: SchedulerWorld;
  readonly #taskId: TaskId;
  readonly #claim: TaskClaim;
  readonly #chart: TaskChart;

  constructor(world: SchedulerWorld, taskId: TaskId, claim: TaskClaim, chart: TaskChart) {
    this.#world = world;
    this.#taskId = taskId;
    this.#claim = claim;
    this.#chart = chart;
  }

  /**
   * Takes a host's word on the whole, or on its samples. `settled`: what was false is known and taken back; `source`: the
   * source seems to be the one to blame; `waits`: nothing is known yet.
   */
  take(
    hostId: HostId,
    { agreed, differed }: NonNullable<SyncRequest['mismatch']>,
    mayReadOrigin: boolean,
  ): 'waits' | 'settled' | 'source' {
    if (agreed.length + differed.length === 0) {
      if (this.#chart.isSampling) return 'waits';
      const { claims } = this.#claim;
      if (claims.unproven.isUsed) {
        claims.fall([]);
        return 'settled';
      }
      const pieces = this.#choose();
      if (!mayReadOrigin || pieces.length === 0) return 'source';
      this.#chart.send({ type: 'samples.assigned', hostId, pieces });
      return 'waits';
    }
    if (this.#chart.samplesOf(hostId) === undefined) return 'waits';
    this.#chart.send({ type: 'samples.read', hostId });
    for (const piece of differed) this.#expose(piece, hostId);
    return differed.length === 0 ? 'source' : 'settled';
  }

  /** Whoever read the piece passed on other bytes: nothing it said counts any more. */
  #expose(piece: number, sampler: HostId): void {
    const { claims, ledger } = this.#claim;
    const [liar = 'log'] = claims.claimants(piece);
    if (claims.hashOf(piece) === undefined) return;
    this.#world.log.warn(
      { taskId: this.#taskId, hostId: liar },
      'a reader passed on other bytes than the origin gave',
    );
    // Who says itself that it read wrong before is not one that lies.
    if (liar !== 'log' && liar !== sampler) ledger.quarantine(liar);
    for (const withdrawn of claims.withdraw(liar)) ledger.disprove(withdrawn);
  }

  /** Two pieces at random of each host that read the origin. */
  #choose(): number[] {
    const { claims } = this.#claim;
    const byReader = new Map<HostId | undefined, number[]>();
    for (const { piece } of claims.export()) {
      const [reader] = claims.claimants(piece);
      const pieces = byReader.get(reader);
      if (pieces) pieces.push(piece);
      else byReader.set(reader, [piece]);
    }
    const pick = (pieces: number[]) => pieces[randomInt(this.#world.random, pieces.length)] ?? 0;
    const readers = [...byReader.values()].slice(0, READERS);
    return [...new Set(readers.flatMap((pieces) => [pick(pieces), pick(pieces)]))];
  }
}
