import { type Actor, createActor } from 'xstate';
import type { Cancel } from '../../../core/clock.ts';
import { toShoalError } from '../../../core/errors.ts';
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
import { Heirs } from './heirs.ts';
import { OwnershipStore } from './ownership-store.ts';
import { type Guide, PartitionClaims } from './partition-claims.ts';
import { PartitionSet, type Tenures } from './partition-set.ts';
import { Presence } from './presence.ts';

/** What a member of the group of schedulers is made of. */
export interface GroupParts extends Pick<World, 'clock' | 'log'> {
  readonly bus: Pick<Bus, 'state' | 'onState' | 'publish' | 'subscribe' | 'directory'>;
  /** Where the ownership is kept, over a connection of its own; absent: over the bus. */
  readonly store?: Pick<Bus, 'state' | 'directory'>;
  readonly schedulerId: SchedulerId;
  /** Its signing key, which outlives the process. */
  readonly keyId: string;
  readonly partitions?: number;
  readonly tenures: Tenures;
  /** What it says of itself beside what it owns. */
  readonly describe: () => Pick<SchedulerAlive, 'name' | 'sinceMs' | 'tasks' | 'hosts' | 'version'>;
}

/** One member of the group of schedulers: which partitions fall to it, and whether it may serve them. */
export class SchedulerGroup implements SchedulerEffects {
  readonly #parts: GroupParts;
  readonly #self: SchedulerId;
  readonly #store: OwnershipStore;
  readonly #presence: Presence;
  readonly #epochs: Epochs;
  readonly #actor: Actor<typeof schedulerMachine>;
  readonly #partitions: PartitionSet;
  #subscriptions: Subscription[] = [];
  #guide: Guide = 'none';
  #leaving = false;
  /** Since when NATS is there and the store is not. */
  #storelessSinceMs: number | undefined;
  /** When somebody first asked for what was owned and could not be granted. */
  #lapsedMs: number | undefined;
  #roundTimer: Cancel | undefined;
  #aliveTimer: Cancel | undefined;
  #told = '';
  /** Partitions whose rows are being read anew. */
  readonly #doubted = new Set<number>();
  readonly #claims: PartitionClaims;
  readonly #heirs: Heirs;
  /** The last heartbeat, which may still be under way. */
  #beating: Promise<unknown> = Promise.resolve();
  #departed: Promise<void> = Promise.resolve();
  #left: () => void = () => {};
  readonly #isLeft = new Promise<void>((resolve) => {
    this.#left = resolve;
  });

  constructor(parts: GroupParts) {
    const { clock, bus, store = bus, log, schedulerId, keyId, partitions = PARTITIONS } = parts;
    this.#parts = parts;
    this.#self = schedulerId;
    this.#store = new OwnershipStore({
      clock,
      directory: store.directory('ownership'),
      self: schedulerId,
      keyId,
    });
    this.#presence = new Presence(clock);
    this.#epochs = new Epochs(clock, schedulerId);
    this.#heirs = new Heirs(partitions);
    this.#claims = new PartitionClaims({
      clock,
      self: schedulerId,
      store: this.#store,
      presence: this.#presence,
      epochs: this.#epochs,
      guide: () => this.#guide,
    });
    this.#partitions = new PartitionSet({
      clock,
      log,
      self: schedulerId,
      partitions,
      tenures: parts.tenures,
      store: this.#store,
      presence: this.#presence,
      claims: this.#claims,
      heirs: this.#heirs,
      onBegun: () => this.#sayAlive(),
    });
    this.#actor = createActor(schedulerMachine, { input: this, clock: xstateClock(clock) });
    this.#actor.subscribe({
      complete: () => this.#left(),
      error: (error) => log.error({ err: toShoalError(error) }, 'scheduler actor crashed'),
    });
  }

  start(): void {
    const { bus, store = bus } = this.#parts;
    this.#subscriptions = [
      bus.subscribe(SUBJECTS.schedulerAlive, {}, (alive, { schedulerId }) => this.#hear(schedulerId, alive)),
      store.directory('ownership').watch((change) => {
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
    return this.#guide === 'none' ? undefined : this.#partitions.at(partition)?.epoch;
  }

  /**
   * The epoch of a partition that may not be granted now and was a moment ago: this scheduler stood still for longer than
   * its term, as a rule, and renews it. Undefined where that takes long: nobody is to wait for it then.
   */
  lapsedEpochOf(partition: number): number | undefined {
    const { clock } = this.#parts;
    const epoch = this.#partitions.at(partition)?.epoch;
    if (epoch === undefined) return undefined;
    this.#lapsedMs ??= clock.now();
    return clock.now() - this.#lapsedMs < LIMITS.termMs ? epoch : undefined;
  }

  /** Whether whatever falls to this scheduler is owned. */
  get isSettled(): boolean {
    return this.#guide !== 'none' && this.#partitions.isSettled;
  }

  /** How many schedulers own partitions, or are to. */
  get size(): number {
    return this.#living().length;
  }

  /** Whether this scheduler is the one that says what all know. */
  speaksFor(id: string): boolean {
    return rendezvous(id, this.#living()) === this.#self;
  }

  /** Somebody has seen that epoch of a partition: where it is larger, the store, or presence, says who is right. */
  refused(partition: number, epoch: number): void {
    const actor = this.#partitions.at(partition);
    const own = actor?.epoch;
    if (own === undefined || epoch <= own || !this.#epochs.isPlausible(epoch)) return;
    this.#epochs.see(partition, epoch);
    if (actor?.isSettled === true) void this.#lookInto(partition);
  }

  /** Another owner there: the round steps down. This one: a larger epoch is claimed. */
  async #lookInto(partition: number): Promise<void> {
    if (this.#doubted.has(partition)) return;
    this.#doubted.add(partition);
    try {
      if (this.#guide === 'store') await this.#store.look(partition);
      this.#round();
      this.#partitions.at(partition)?.send({ type: 'epoch.refused' });
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
    this.#partitions.stop();
  }

  // --- effects of the chart ---

  async enter(): Promise<void> {
    const isResumed = await this.#noting(() => this.#store.enter(this.#heartbeat()));
    if (!isResumed) this.#partitions.endAll();
  }

  async renew(): Promise<void> {
    await this.#noting(() => this.#store.renew(this.#heartbeat()));
    this.#claims.lookAgain();
    this.#soon();
  }

  /** Keeps in mind since when the store does not answer, though NATS is there. */
  async #noting<R>(use: () => Promise<R>): Promise<R> {
    const { bus, store = bus, clock } = this.#parts;
    const beating = use();
    this.#beating = beating;
    try {
      const result = await beating;
      this.#storelessSinceMs = undefined;
      return result;
    } catch (error) {
      const isOut = store.state === 'connected' && toShoalError(error).code !== 'ERR_BUS_CONFLICT';
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
    const wasLost = this.#partitions.owned.length > 0;
    this.#guide = 'store';
    this.#lapsedMs = undefined;
    this.#claims.lookAgain();
    this.#round();
    if (wasLost && this.#partitions.owned.length > 0) this.#parts.tenures.resumed();
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
    this.#partitions.endAll();
    this.#round();
  }

  depart(): void {
    this.#guide = 'none';
    this.#partitions.endAll();
    // A heartbeat that is put after the last is removed would stand for a term.
    const departed = Promise.allSettled([this.#beating]).then(() => this.#store.depart());
    this.#departed = departed.catch((error: unknown) => {
      this.#parts.log.debug({ code: toShoalError(error).code }, 'the own heartbeat was not removed');
    });
  }

  #heartbeat(): Heartbeat {
    const { offers } = this.#partitions;
    this.#told = JSON.stringify([this.#leaving, offers]);
    return { keyId: this.#parts.keyId, leaving: this.#leaving, offers };
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
    const partitions = this.#partitions.owned.filter((partition) => this.epochOf(partition) !== undefined);
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

  /** Looks at every partition, whatever brought it about: what was missed is found the next time. */
  #round(): void {
    if (this.#guide === 'none') return;
    // Whose heartbeat is gone owns nothing: it enters anew before it claims.
    if (this.#guide === 'store' && this.#store.view.heartbeat(this.#self) === undefined) {
      return this.#actor.send({ type: 'beat.due' });
    }
    this.#heirs.shareOut(this.#living());
    if (this.#guide === 'store') this.#partitions.weighByStore();
    else this.#partitions.weighByPresence();
    if (this.#guide === 'store') this.#afterRound();
    if (this.#leaving && (this.#partitions.owned.length === 0 || this.#heirs.of(0) === undefined)) {
      this.#actor.send({ type: 'emptied' });
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
    if (JSON.stringify([this.#leaving, this.#partitions.offers]) !== this.#told)
      this.#actor.send({ type: 'beat.due' });
  }
}
