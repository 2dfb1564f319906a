import type { Clock } from '../../../core/clock.ts';
import { toShoalError } from '../../../core/errors.ts';
import type { SchedulerId } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Heirs } from './heirs.ts';
import type { OwnershipStore } from './ownership-store.ts';
import { PartitionActor } from './partition.ts';
import type { PartitionClaims } from './partition-claims.ts';
import type { Presence } from './presence.ts';

/** A partition that a scheduler owns from now on. */
export interface BegunTenure {
  readonly partition: number;
  readonly epoch: number;
}

/** What becomes of the partitions of a scheduler. */
export interface Tenures {
  /** They are served from now on; those of one call came together. */
  begin(tenures: readonly BegunTenure[]): void;
  /** It is known what the hosts hold of it. */
  recovered(partition: number): void;
  /** They are served no more; those of one call go together. */
  end(partitions: readonly number[]): void;
  /** What is owned may be granted again, after a time in which nothing was, or hosts were not heard. */
  resumed(): void;
}

interface PartitionSetOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly self: SchedulerId;
  readonly partitions: number;
  readonly tenures: Tenures;
  readonly store: OwnershipStore;
  readonly presence: Presence;
  readonly claims: PartitionClaims;
  readonly heirs: Heirs;
  /** Something is served that was not. */
  readonly onBegun: () => void;
}

/** All partitions, as one scheduler sees them: each is told what the store, or presence, says of it. */
export class PartitionSet {
  readonly #options: PartitionSetOptions;
  readonly #actors: readonly PartitionActor[];
  #begun: BegunTenure[] = [];
  /** Partitions that end together; undefined where one ends by itself. */
  #ended: number[] | undefined;

  constructor(options: PartitionSetOptions) {
    this.#options = options;
    this.#actors = Array.from({ length: options.partitions }, (_, partition) => this.#actor(partition));
  }

  #actor(partition: number): PartitionActor {
    const { claims, tenures, log } = this.#options;
    return new PartitionActor(this.#options, partition, {
      claim: () => claims.claim(partition),
      tellUnclaimed: (error) =>
        log.debug({ partition, code: toShoalError(error).code }, 'partition not claimed'),
      begin: (epoch) => this.#begin(partition, epoch),
      recovered: () => tenures.recovered(partition),
      end: () => {
        if (this.#ended === undefined) tenures.end([partition]);
        else this.#ended.push(partition);
      },
    });
  }

  /** What ends in the course of it ends at its end, together: to end one costs as much as to end all. */
  #together(change: () => void): void {
    const ended: number[] = [];
    this.#ended = ended;
    try {
      change();
    } finally {
      this.#ended = undefined;
      if (ended.length > 0) this.#options.tenures.end(ended);
    }
  }

  /** In a moment, for they come in numbers. */
  #begin(partition: number, epoch: number): void {
    const { clock, tenures, onBegun } = this.#options;
    if (this.#begun.push({ partition, epoch }) > 1) return;
    clock.after(0, () => {
      const begun = this.#begun.filter((each) => this.at(each.partition)?.epoch === each.epoch);
      this.#begun = [];
      if (begun.length === 0) return;
      tenures.begin(begun);
      onBegun();
    });
  }

  at(partition: number): PartitionActor | undefined {
    return this.#actors[partition];
  }

  /** Partitions owned, whether or not they may be granted now. */
  get owned(): number[] {
    return [...this.#actors.keys()].filter((partition) => this.at(partition)?.epoch !== undefined);
  }

  /** Whether whatever falls to this scheduler is owned. */
  get isSettled(): boolean {
    const { heirs, self } = this.#options;
    return this.#actors.every(({ epoch }, at) => epoch !== undefined || heirs.of(at) !== self);
  }

  /** What another may take from this living scheduler: what it releases, and what is in its name and not served. */
  get offers(): number[] {
    const { store, self, heirs } = this.#options;
    return store.view.ownedBy(self).filter((partition) => {
      const actor = this.at(partition);
      return actor?.isReleasing === true || (actor?.isLost === true && heirs.of(partition) !== self);
    });
  }

  endAll(): void {
    this.#together(() => {
      for (const actor of this.#actors) actor.send({ type: 'ownership.ended' });
    });
  }

  /** Tells each partition what the store says of it. */
  weighByStore(): void {
    this.#together(() => this.#weighByStore());
  }

  #weighByStore(): void {
    const { store, self, heirs, claims } = this.#options;
    this.#actors.forEach((actor, partition) => {
      const row = store.view.row(partition);
      const heir = heirs.of(partition);
      if (actor.epoch !== undefined && (row?.owner !== self || row.epoch !== actor.epoch)) {
        actor.send({ type: 'ownership.ended' });
      }
      if (heir !== undefined) actor.send({ type: heir === self ? 'heir.vanished' : 'heir.appeared' });
      if (heir !== self || !actor.isLost) return;
      const owner = row?.owner;
      const mayBeFree = owner === undefined || owner === self || claims.mayBeFree(partition, owner);
      if (mayBeFree) actor.send({ type: 'claim.due' });
    });
  }

  /** Tells each partition what those say that are there; nobody is asked. */
  weighByPresence(): void {
    this.#together(() => this.#weighByPresence());
  }

  #weighByPresence(): void {
    const { presence, self, heirs } = this.#options;
    this.#actors.forEach((actor, partition) => {
      const heir = heirs.of(partition);
      if (presence.isGuided) actor.send({ type: 'ownership.ended' });
      else if (heir === self) actor.send({ type: actor.isLost ? 'claim.due' : 'heir.vanished' });
      else if (heir !== undefined && presence.get(heir)?.partitions.includes(partition) === true) {
        actor.send({ type: 'ownership.ended' });
      }
    });
  }

  stop(): void {
    for (const actor of this.#actors) actor.stop();
  }
}
