import { type Actor, createActor } from 'xstate';
import { toShoalError } from '../../core/errors.ts';
import type { Census } from '../../core/host-messages.ts';
import type { TaskId } from '../../core/ids.ts';
import type { LeaseSet } from '../../core/sync-messages.ts';
import { type HostState, hostMachine, hostState } from '../../machines/host/host.ts';
import { isReadAt } from '../../origins/place.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { xstateClock } from '../xstate-clock.ts';
import { sendGone } from './holdings.ts';
import { type HostOptions, HostWork } from './work.ts';

/** A host's membership of the swarm: announces itself, says every second that it lives, tells what it holds. */
export class HostActor {
  readonly #options: HostOptions;
  readonly #work: HostWork;
  readonly #actor: Actor<typeof hostMachine>;
  #subscriptions: Subscription[] = [];

  constructor(options: HostOptions) {
    const { clock, log } = options.world;
    this.#options = options;
    this.#work = new HostWork(options);
    this.#actor = createActor(hostMachine, { input: this.#work, clock: xstateClock(clock) });
    this.#actor.subscribe({
      complete: () => this.#close(),
      error: (error) => log.error({ err: toShoalError(error) }, 'host actor crashed'),
    });
  }

  start(): void {
    const { bus, store, hostId } = this.#options.world;
    this.#subscriptions = [
      bus.subscribe(SUBJECTS.leases, { hostId }, ({ taskId, set }) => this.#pushed(taskId, set)),
      bus.subscribe(SUBJECTS.evict, { hostId }, ({ taskId }) => void this.giveUp(taskId)),
      bus.subscribe(SUBJECTS.census, {}, (census) => this.#census(census)),
      bus.subscribe(SUBJECTS.ask, { hostId }, (census) => this.#census(census)),
      bus.onState((state) => {
        if (state === 'connected') this.#actor.send({ type: 'bus.connected' });
        if (state === 'disconnected') this.#actor.send({ type: 'bus.disconnected' });
      }),
    ];
    store.onEvicted((taskId) => this.#evicted(taskId));
    this.#actor.start();
    if (bus.state === 'connected') this.#actor.send({ type: 'bus.connected' });
  }

  get state(): HostState {
    return hostState(this.#actor.getSnapshot());
  }

  /** Resolves once a scheduler has given this host its token. */
  announced(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.state === 'announced') return resolve();
      const ended = () => reject(signal.reason as Error);
      signal.addEventListener('abort', ended, { once: true });
      const watch = this.#actor.subscribe(() => {
        if (this.state !== 'announced') return;
        watch.unsubscribe();
        signal.removeEventListener('abort', ended);
        resolve();
      });
    });
  }

  #census({ epoch, partitions, schedulerKeys, schedulerId }: Census): void {
    const { membership, trust, peers } = this.#options;
    const taken = new Set(partitions.filter((partition) => epoch > membership.epoch(partition)));
    const fresh = partitions.filter((partition) => membership.acceptEpoch(partition, epoch));
    if (membership.refusedIn(partitions[0] ?? 0)?.why !== 'ahead') trust.learnKeys(schedulerKeys);
    peers.schedulerChanged(taken);
    if (fresh.length === 0) return;
    this.#work.owe(fresh, schedulerId);
    this.#actor.send({ type: 'census.received' });
  }

  #evicted(taskId: TaskId): void {
    const { world } = this.#options;
    sendGone(world, taskId);
    world.metrics.evicted();
    world.emit('task.evicted', taskId, { taskId, hostId: world.hostId });
    world.log.info({ taskId }, 'evicted');
  }

  /** A set for a task at work here, or a call to take part: to a seed in a new one, to a holder to tell the hashes. */
  #pushed(taskId: TaskId, set: LeaseSet): void {
    const { world, peers } = this.#options;
    if (peers.get(taskId)) return peers.push(taskId, set);
    const { home } = set;
    const sources = set.sources.filter(
      (source) =>
        !source.credentials &&
        (home === undefined || isReadAt({ taskId, home }, source)) &&
        world.origin.allows(source.url),
    );
    const held = world.store.row(taskId)?.complete === true;
    if (!held && (world.role !== 'seed' || sources.length === 0)) return;
    peers
      .open({ taskId, sources, headers: {}, mayReadOrigin: !held })
      .catch((err: unknown) => world.log.warn({ taskId, err: toShoalError(err) }, 'cannot take part'));
  }

  /** Removes a task from the cache, unless a pin keeps it here. */
  async giveUp(taskId: TaskId): Promise<void> {
    const { world, peers } = this.#options;
    if (world.store.isKept(taskId)) return world.log.info({ taskId }, 'kept by a pin, not removed');
    peers.get(taskId)?.leave();
    const held = world.store.row(taskId) !== undefined;
    await world.store.remove(taskId).catch((err: unknown) => world.log.warn({ taskId, err }, 'not removed'));
    if (held) this.#evicted(taskId);
  }

  #close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }

  /** Leaves the swarm in good order; what runs has been stopped before. */
  stop(): void {
    this.#actor.send({ type: 'drain' });
  }
}
