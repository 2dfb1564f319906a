import { type Actor, createActor } from 'xstate';
import type { Cancel } from '../../../core/clock.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { SchedulerAlive } from '../../../core/host-messages.ts';
import { isSchedulerId, PARTITIONS, type SchedulerId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Heartbeat } from '../../../core/ownership.ts';
import { rendezvous } from '../../../core/rendezvous.ts';
import { type SchedulerEffects, schedulerMachine } from '../../../machines/scheduler/scheduler.ts';
import type { Bus, Subscription } from '../../../transport/bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import type { World } from '../../world.ts';
import { xstateClock } from '../../xstate-clock.ts';
import { Epochs } from './epochs.ts';
import { OwnershipStore } from './ownership-store.ts';
import { PartitionActor } from './partition.ts';
import { Presence } from './presence.ts';

/** A partition that a scheduler owns from now on. */
export interface BegunTenure {
  readonly partition: number;
  readonly epoch: number;
}

/** What becomes of the partitions of this scheduler. */
export interface Tenures {
  /** They are served from now on; those of one call came together. */
  begin(tenures: readonly BegunTenure[]): void;
  /** It is known what the hosts hold of it. */
  recovered(partition: number): void;
  end(partition: number): void;
  /** What is owned may be granted again, after a time in which nothing was. */
  resumed(): void;
}

/** What a member of the group of schedulers is made of. */
export interface GroupParts extends Pick<World, 'clock' | 'log'> {
  readonly bus: Pick<Bus, 'state' | 'onState' | 'publish' | 'subscribe' | 'directory'>;
  readonly schedulerId: SchedulerId;
  /** Its signing key, which outlives the process. */
  readonly keyId: string;
  readonly partitions?: number;
  readonly tenures: Tenures;
  /** What it says of itself beside what it owns. */
  readonly describe: () => Pick<SchedulerAlive, 'name' | 'sinceMs' | 'tasks' | 'hosts' | 'version'>;
}

/** How partitions are shared out: by the store, by presence alone, or nothing is owned at the moment. */
type Guide = 'store' | 'presence' | 'none';

/** One member of the group of schedulers: which partitions fall to it, and whether it may serve them. */
export class SchedulerGroup implements SchedulerEffects {
  readonly #parts: GroupParts;
  readonly #self: SchedulerId;
  readonly #store: OwnershipStore;
  readonly #presence: Presence;
  readonly #epochs: Epochs;
  readonly #actor: Actor<typeof schedulerMachine>;
  readonly #partitions: readonly PartitionActor[];
  #subscriptions: Subscription[] = [];
  #guide: Guide = 'none';
  #leaving = false;
  /** Since when NATS is there and the store is not. */
  #storelessSinceMs: number | undefined;
  #members = '';
  #heirs: readonly (SchedulerId | undefined)[] = [];
  #roundTimer: Cancel | undefined;
  #aliveTimer: Cancel | undefined;
  #told = '';
  /** Looks for owners that are gone, one for all partitions that one owned. */
  readonly #looks = new Map<SchedulerId, Promise<boolean>>();
  /** Partitions whose rows are being read anew. */
  readonly #doubted = new Set<number>();
  #begun: BegunTenure[] = [];
  readonly #claims = new Set<Promise<number>>();
  #departed: Promise<void> = Promise.resolve();
  #left: () => void = () => {};
  readonly #isLeft = new Promise<void>((resolve) => {
    this.#left = resolve;
  });

  constructor(parts: GroupParts) {
    const { clock, bus, log, schedulerId, keyId, partitions = PARTITIONS } = parts;
    this.#parts = parts;
    this.#self = schedulerId;
    this.#store = new OwnershipStore({
      clock,
      directory: bus.directory('ownership'),
      self: schedulerId,
      keyId,
    });
    this.#presence = new Presence(clock);
    this.#epochs = new Epochs(clock, schedulerId);
    this.#partitions = Array.from({ length: partitions }, (_, partition) => this.#partition(partition));
    this.#actor = createActor(schedulerMachine, { input: this, clock: xstateClock(clock) });
    this.#actor.subscribe({
      complete: () => this.#left(),
      error: (error) => log.error({ err: toShoalError(error) }, 'scheduler actor crashed'),
    });
  }

  #partition(partition: number): PartitionActor {
    const { tenures, log } = this.#parts;
    return new PartitionActor(this.#parts, partition, {
      claim: () => this.#claim(partition),
      tellUnclaimed: (error) =>
        log.debug({ partition, code: toShoalError(error).code }, 'partition not claimed'),
      begin: (epoch) => this.#begin(partition, epoch),
      recovered: () => tenures.recovered(partition),
      end: () => tenures.end(partition),
    });
  }

  start(): void {
    const { bus } = this.#parts;
    this.#subscriptions = [
      bus.subscribe(SUBJECTS.schedulerAlive, {}, (alive, { schedulerId }) => this.#hear(schedulerId, alive)),
      bus.directory('ownership').watch((change) => {
        this.#store.view.take(change);
        this.#soon();
      }),
      bus.onState((state) => {
        if (state === 'connected' && this.standing.partitions.length > 0) this.#parts.tenures.resumed();
      }),
    ];
    this.#actor.start();
    this.#everySecond();
  }

  /** The epoch under which this scheduler may grant what is in the partition, now; undefined where it may not. */
  epochOf(partition: number): number | undefined {
    if (this.#guide === 'store' && !this.#store.isInTerm) return undefined;
    return this.#guide === 'none' ? undefined : this.#partitions[partition]?.epoch;
  }

  /** Partitions owned, whether or not they may be granted now. */
  get owned(): number[] {
    return [...this.#partitions.keys()].filter(
      (partition) => this.#partitions[partition]?.epoch !== undefined,
    );
  }

  /** Whether whatever falls to this scheduler is owned. */
  get isSettled(): boolean {
    if (this.#guide === 'none') return false;
    return this.#partitions.every(({ epoch }, at) => epoch !== undefined || this.#heirs[at] !== this.#self);
  }

  /** Whether this scheduler is the one that says what all know. */
  speaksFor(id: string): boolean {
    return rendezvous(id, this.#living()) === this.#self;
  }

  /** Somebody has seen that epoch of a partition: where it is larger, the store, or presence, says who is right. */
  refused(partition: number, epoch: number): void {
    const own = this.#partitions[partition]?.epoch;
    if (own === undefined || epoch <= own || !this.#epochs.isPlausible(epoch)) return;
    this.#epochs.see(partition, epoch);
    if (this.#partitions[partition]?.isSettled === true) void this.#lookInto(partition);
  }

  /** Another owner there: the round steps down. This one: a larger epoch is claimed. */
  async #lookInto(partition: number): Promise<void> {
    if (this.#doubted.has(partition)) return;
    this.#doubted.add(partition);
    try {
      if (this.#guide === 'store') await this.#store.look(partition);
      this.#round();
      this.#partitions[partition]?.send({ type: 'epoch.refused' });
    } catch {
      // It is refused again.
    } finally {
      this.#doubted.delete(partition);
    }
  }

  /** Hands over what it serves, and resolves when all of it is taken, or nobody is there to take it. */
  async leave(): Promise<void> {
    if (!this.#leaving) this.#beginLeaving();
    await this.#isLeft;
    await this.#departed;
  }

  #beginLeaving(): void {
    this.#leaving = true;
    this.#actor.send({ type: 'leave' });
    this.#sayAlive();
    if (this.#guide === 'none') this.#actor.send({ type: 'emptied' });
    else this.#round();
  }

  /** Ends at once. */
  stop(): void {
    this.#roundTimer?.();
    this.#aliveTimer?.();
    this.#roundTimer = undefined;
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions = [];
    this.#actor.stop();
    for (const partition of this.#partitions) partition.stop();
  }

  // --- effects of the chart ---

  async enter(): Promise<void> {
    const isResumed = await this.#noting(() => this.#store.enter(this.#heartbeat()));
    if (!isResumed) this.#endAll();
  }

  async renew(): Promise<void> {
    await this.#noting(() => this.#store.renew(this.#heartbeat()));
    this.#looks.clear();
    this.#soon();
  }

  /** Keeps in mind since when the store does not answer, though NATS is there. */
  async #noting<R>(use: () => Promise<R>): Promise<R> {
    const { bus, clock } = this.#parts;
    try {
      const result = await use();
      this.#storelessSinceMs = undefined;
      return result;
    } catch (error) {
      const isOut = bus.state === 'connected' && toShoalError(error).code !== 'ERR_BUS_CONFLICT';
      this.#storelessSinceMs = isOut ? (this.#storelessSinceMs ?? clock.now()) : undefined;
      throw error;
    }
  }

  isTermOver(): boolean {
    return !this.#store.isInTerm;
  }

  isStoreless(): boolean {
    const { clock } = this.#parts;
    const sinceMs = this.#storelessSinceMs;
    return sinceMs !== undefined && clock.now() - sinceMs >= LIMITS.storelessMs && !this.#presence.isGuided;
  }

  noteServing(): void {
    const wasLost = this.owned.length > 0;
    this.#guide = 'store';
    this.#looks.clear();
    this.#round();
    if (wasLost && this.owned.length > 0) this.#parts.tenures.resumed();
  }

  noteLost(): void {
    this.#guide = 'none';
    this.#parts.log.warn({}, 'the store of ownership is out of reach; nothing is granted');
  }

  noteUnguided(): void {
    this.#guide = 'presence';
    this.#parts.log.warn(
      {},
      'no JetStream: who owns what follows from presence alone, and no task log is kept',
    );
    // Others may have taken over while the store could be reached.
    this.#endAll();
    this.#round();
  }

  depart(): void {
    this.#guide = 'none';
    this.#endAll();
    this.#departed = this.#store.depart().catch((error: unknown) => {
      this.#parts.log.debug({ code: toShoalError(error).code }, 'the own heartbeat was not removed');
    });
  }

  #heartbeat(): Heartbeat {
    const offers = this.#offers();
    this.#told = JSON.stringify([this.#leaving, offers]);
    return { keyId: this.#parts.keyId, leaving: this.#leaving, offers };
  }

  /** What another may take from this living scheduler: what it releases, and what is in its name and not served. */
  #offers(): number[] {
    const named = this.#store.view.ownedBy(this.#self);
    return named.filter((partition) => {
      const actor = this.#partitions[partition];
      return actor?.isReleasing === true || (actor?.isLost === true && this.#heirs[partition] !== this.#self);
    });
  }

  #endAll(): void {
    for (const partition of this.#partitions) partition.send({ type: 'ownership.ended' });
  }

  // --- claims ---

  /** Those that are under way at the same time are had at the same time: one census names them all. */
  async #claim(partition: number): Promise<number> {
    const claim = this.#claimOne(partition);
    this.#claims.add(claim);
    while (this.#claims.size > 0) {
      const claims = [...this.#claims];
      await Promise.allSettled(claims);
      for (const ended of claims) this.#claims.delete(ended);
    }
    return claim;
  }

  async #claimOne(partition: number): Promise<number> {
    const row = this.#store.view.row(partition);
    if (row !== undefined) this.#epochs.see(partition, row.epoch);
    this.#epochs.see(partition, this.#presence.epochOf(partition));
    if (this.#guide === 'store' && row !== undefined && !(await this.#isFree(partition, row.owner))) {
      throw new ShoalError('ERR_BUS_CONFLICT', `${row.owner} owns the partition ${partition}`);
    }
    const epoch = this.#epochs.next(partition);
    if (this.#guide === 'store') {
      // The row that was weighed, not the one of by now.
      await this.#store.claim(partition, { owner: this.#self, epoch }, row?.revision ?? 0);
    }
    return epoch;
  }

  async #isFree(partition: number, owner: SchedulerId): Promise<boolean> {
    if (owner === this.#self || this.#isOffered(partition, owner)) return true;
    const look = this.#looks.get(owner) ?? this.#store.isGone(owner);
    this.#looks.set(owner, look);
    return look;
  }

  #isOffered(partition: number, owner: SchedulerId): boolean {
    return this.#store.view.heartbeat(owner)?.offers.includes(partition) === true;
  }

  #begin(partition: number, epoch: number): void {
    if (this.#begun.push({ partition, epoch }) > 1) return;
    this.#parts.clock.after(0, () => {
      const begun = this.#begun.filter((each) => this.#partitions[each.partition]?.epoch === each.epoch);
      this.#begun = [];
      if (begun.length === 0) return;
      this.#parts.tenures.begin(begun);
      this.#sayAlive();
    });
  }

  // --- who owns what ---

  #hear(id: string, alive: SchedulerAlive): void {
    if (!isSchedulerId(id) || id === this.#self) return;
    this.#presence.hear(id, alive);
    if (this.#guide !== 'presence') return;
    // Who goes by the store has seen it.
    if (alive.guided) this.#actor.send({ type: 'beat.due' });
    this.#soon();
  }

  #everySecond(): void {
    this.#presence.sweep();
    this.#sayAlive();
    this.#soon();
    this.#aliveTimer = this.#parts.clock.after(LIMITS.aliveMs, () => this.#everySecond());
  }

  #sayAlive(): void {
    const { bus, describe } = this.#parts;
    bus.publish(SUBJECTS.schedulerAlive, { schedulerId: this.#self }, { ...describe(), ...this.standing });
  }

  /** What it owns, as others are told. */
  get standing(): Pick<SchedulerAlive, 'epoch' | 'epochLeast' | 'partitions' | 'guided' | 'leaving'> {
    const partitions = this.owned.filter((partition) => this.epochOf(partition) !== undefined);
    const epochs = partitions.map((partition) => this.epochOf(partition) ?? 0);
    return {
      epoch: Math.max(0, ...epochs),
      epochLeast: epochs.length === 0 ? 0 : Math.min(...epochs),
      partitions,
      guided: this.#guide === 'store',
      leaving: this.#leaving,
    };
  }

  /** In a moment: changes come in numbers. */
  #soon(): void {
    this.#roundTimer ??= this.#parts.clock.after(0, () => {
      this.#roundTimer = undefined;
      this.#round();
    });
  }

  #living(): SchedulerId[] {
    if (this.#guide === 'presence') {
      return [...this.#presence.unguided, ...(this.#leaving ? [] : [this.#self])];
    }
    const { view } = this.#store;
    const others = [...view.heartbeats()]
      .filter(([id, { leaving }]) => id !== this.#self && !leaving && !view.isStill(id))
      .map(([id]) => id);
    return this.#leaving ? others : [...others, this.#self];
  }

  #shareOut(): void {
    const living = this.#living().sort();
    const members = living.join();
    if (members === this.#members && this.#heirs.length > 0) return;
    this.#members = members;
    this.#heirs = this.#partitions.map((_, partition) => rendezvous(`partition-${partition}`, living));
  }

  /** Looks at every partition, whatever brought it about: what was missed is found the next time. */
  #round(): void {
    if (this.#guide === 'none') return;
    // Whose heartbeat is gone owns nothing: it enters anew before it claims.
    if (this.#guide === 'store' && this.#store.view.heartbeat(this.#self) === undefined) {
      return this.#actor.send({ type: 'beat.due' });
    }
    this.#shareOut();
    this.#partitions.forEach((actor, partition) => {
      if (this.#guide === 'store') this.#weighByStore(partition, actor);
      else this.#weighByPresence(partition, actor);
    });
    if (this.#guide === 'store') this.#afterRound();
    if (this.#leaving && (this.owned.length === 0 || this.#heirs[0] === undefined)) {
      this.#actor.send({ type: 'emptied' });
    }
  }

  #weighByStore(partition: number, actor: PartitionActor): void {
    const { view } = this.#store;
    const row = view.row(partition);
    const heir = this.#heirs[partition];
    if (actor.epoch !== undefined && (row?.owner !== this.#self || row.epoch !== actor.epoch)) {
      actor.send({ type: 'ownership.ended' });
    }
    if (heir !== this.#self) {
      if (heir !== undefined) actor.send({ type: 'heir.appeared' });
      return;
    }
    actor.send({ type: 'heir.vanished' });
    const owner = row?.owner;
    if (actor.isLost && (owner === undefined || owner === this.#self || this.#mayBeGone(partition, owner))) {
      actor.send({ type: 'claim.due' });
    }
  }

  #mayBeGone(partition: number, owner: SchedulerId): boolean {
    const { view } = this.#store;
    return view.heartbeat(owner) === undefined || this.#isOffered(partition, owner);
  }

  #weighByPresence(partition: number, actor: PartitionActor): void {
    const heir = this.#heirs[partition];
    if (this.#presence.isGuided) actor.send({ type: 'ownership.ended' });
    else if (heir === this.#self) actor.send({ type: actor.isLost ? 'claim.due' : 'heir.vanished' });
    else if (heir !== undefined && this.#presence.get(heir)?.partitions.includes(partition) === true) {
      actor.send({ type: 'ownership.ended' });
    }
  }

  /** Who stands still is out before anything is taken from it; and the heartbeat tells what is given away. */
  #afterRound(): void {
    const { view } = this.#store;
    for (const [id] of [...view.heartbeats()]) {
      if (id === this.#self || !view.isStill(id)) continue;
      // Where it moved, or another was first, nothing is lost.
      this.#store.removeHeartbeat(id).then(
        () => this.#soon(),
        () => undefined,
      );
    }
    if (JSON.stringify([this.#leaving, this.#offers()]) !== this.#told)
      this.#actor.send({ type: 'beat.due' });
  }
}
