import { PARTITIONS } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { ResolveReply } from '../../../core/resolve-messages.ts';
import type { SyncReply } from '../../../core/sync-messages.ts';
import { mintToken } from '../../../dataplane/membership-token.ts';
import { signingKeyOf } from '../../../sim/papers.ts';
import { SWARM } from '../../../sim/place.ts';
import type { Simulation } from '../../../sim/world.ts';
import type { MemoryBus } from '../../../transport/memory-bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';

/** So much later than any epoch that was claimed before. */
const NEWER_MS = 1_000;

/** A scheduler newer than any, that answers all, and whose sets lease nothing and tell nothing. */
export class EmptyScheduler {
  readonly #sim: Simulation;
  #bus: MemoryBus | undefined;

  constructor(sim: Simulation) {
    this.#sim = sim;
  }

  start(): void {
    const { hub, kept, clock, random } = this.#sim.place;
    const key = signingKeyOf(random.fork('empty scheduler'));
    kept.keys.set(key.keyId, key.publicKey);
    const epoch = clock.wall() + NEWER_MS;
    const schedulerKeys = [{ id: key.keyId, publicKey: key.publicKey }];
    const bus = hub.bus('empty-scheduler');
    this.#bus = bus;
    let number = 0;
    bus.serve(SUBJECTS.announce, {}, ({ publicKey }, { hostId }) => {
      const asking = this.#sim.hosts.find((host) => host.hostId === hostId);
      const tokenExpiresAtMs = clock.wall() + LIMITS.tokenMs;
      const claims = { publicKey, swarm: SWARM, expMs: tokenExpiresAtMs };
      return {
        token: asking === undefined ? '' : mintToken(key, { hostId: asking.hostId, ...claims }),
        tokenExpiresAtMs,
        schedulerKeys,
        addressBook: this.#sim.hosts.filter((host) => host !== asking).map(({ address }) => address),
        aliveEveryMs: LIMITS.aliveMs,
      };
    });
    bus.serve(SUBJECTS.resolve, {}, ({ outcome }): ResolveReply => {
      if (outcome?.kind === 'found') {
        return { status: 'resolved', taskId: outcome.taskId, probed: outcome.probed };
      }
      return outcome === undefined ? { status: 'ask-origin' } : { status: 'failed', error: outcome.error };
    });
    bus.serve(SUBJECTS.sync, {}, ({ seq, hashCursor }): SyncReply => {
      number += 1;
      return {
        status: 'ok',
        seq,
        intervalMs: LIMITS.syncMinIntervalMs,
        epoch,
        number,
        leases: [],
        originAtOnce: 1,
        parents: [],
        claim: 0,
        hashFrom: hashCursor,
        sources: [],
        audience: 'public',
        state: 'distributing',
      };
    });
    const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
    bus.publish(SUBJECTS.census, {}, { epoch, partitions, schedulerKeys });
  }

  stop(): void {
    void this.#bus?.close();
    this.#bus = undefined;
  }
}
