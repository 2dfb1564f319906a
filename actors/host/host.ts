import { type Actor, createActor } from 'xstate';
import type { Cancel } from '../../core/clock.ts';
import { toShoalError } from '../../core/errors.ts';
import type { HostAddress } from '../../core/host.ts';
import type { Alive, AnnounceReply, Census, Holds } from '../../core/host-messages.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { LeaseSet } from '../../core/sync-messages.ts';
import { hostMachine } from '../../machines/host/host.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { Membership } from './membership.ts';
import type { Peers } from './peers.ts';
import type { Trust } from './trust.ts';
import type { HostWorld } from './world.ts';

/** What a host's membership is made of. */
export interface HostOptions {
  readonly world: HostWorld;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly trust: Trust;
  /** Told the addresses of other hosts whenever a scheduler tells them. */
  readonly onBook: (book: readonly HostAddress[]) => void;
  /** What this host says of itself, now. */
  readonly describe: () => Omit<Alive, 'incarnation' | 'cachedBytes' | 'cachedTasks'>;
}

/** Tasks in one page of holdings: well under a message. */
const ROWS_PER_PAGE = 1_000;
const PAGE_BYTES = 128 * 1024;
const RETRY_MS = 500;
/** A host that knows few others asks again after this time; a swarm of so few can bear it. */
const BOOK_GROWS_MS = 2_000;
/** Holdings are sent within this time after a census, at random, so that a swarm does not answer at once. */
const JITTER_MS = 200;

/** A host's membership of the swarm: announces itself, says every second that it lives, tells what it holds. */
export class HostActor {
  readonly #options: HostOptions;
  readonly #actor: Actor<typeof hostMachine>;
  readonly #tokens: { hostId: string };
  #subscriptions: Subscription[] = [];
  #timers = new Map<string, Cancel>();
  #aliveEveryMs: number = LIMITS.aliveMs;
  #isolatedMs = 0;
  #announcing = false;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#tokens = { hostId: options.world.hostId };
    this.#actor = createActor(
      hostMachine.provide({
        actions: {
          announce: () => void this.#announce(),
          retryLater: () =>
            this.#later('announce', RETRY_MS, () => this.#actor.send({ type: 'announce.due' })),
          sendHoldings: () => {
            const delayMs = options.world.random.next() * JITTER_MS;
            this.#later('holdings', delayMs, () => void this.#sendHoldings());
          },
          noteIsolation: () => {
            this.#isolatedMs = options.world.clock.now();
            options.world.log.warn({}, 'nats is out of reach; running downloads go on');
          },
          noteReturn: () => this.#noteReturn(),
          drain: () => this.#drain(),
        },
      }),
    );
    this.#actor.subscribe({
      error: (error) => options.world.log.error({ err: toShoalError(error) }, 'host actor crashed'),
    });
  }

  start(): void {
    const { bus, store } = this.#options.world;
    this.#actor.start();
    this.#subscriptions = [
      bus.subscribe(SUBJECTS.leases, this.#tokens, ({ taskId, set }) => this.#pushed(taskId, set)),
      bus.subscribe(SUBJECTS.evict, this.#tokens, ({ taskId }) => void this.#evict(taskId)),
      bus.subscribe(SUBJECTS.census, {}, (census) => this.#census(census)),
      bus.onState((state) => {
        if (state === 'connected') this.#actor.send({ type: 'bus.connected' });
        if (state === 'disconnected') this.#actor.send({ type: 'bus.disconnected' });
      }),
    ];
    store.onEvicted((taskId) => this.#evicted(taskId));
    if (bus.state === 'connected') this.#actor.send({ type: 'bus.connected' });
    this.#beat();
  }

  get state(): 'connecting' | 'announced' | 'isolated' | 'draining' | 'stopped' {
    return this.#actor.getSnapshot().value;
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

  #alive(): Alive {
    const { world, describe } = this.#options;
    const { bytes, tasks } = world.store.usage;
    return { ...describe(), incarnation: world.incarnation, cachedBytes: bytes, cachedTasks: tasks };
  }

  #beat(): void {
    const { world, peers } = this.#options;
    world.bus.publish(SUBJECTS.alive, this.#tokens, this.#alive());
    world.metrics.cache(world.store.usage.bytes, world.store.usage.tasks);
    world.metrics.busState(world.bus.state);
    peers.sweep();
    this.#later('alive', this.#aliveEveryMs, () => this.#beat());
  }

  #later(name: string, delayMs: number, run: () => void): void {
    this.#timers.get(name)?.();
    this.#timers.set(name, this.#options.world.clock.after(delayMs, run));
  }

  async #announce(): Promise<void> {
    const { world, trust } = this.#options;
    if (this.#announcing) return;
    this.#announcing = true;
    try {
      const message = { ...this.#alive(), publicKey: trust.publicKey };
      const options = { timeoutMs: LIMITS.syncTimeoutMs };
      this.#accepted(await world.bus.request(SUBJECTS.announce, this.#tokens, message, options));
    } catch (error) {
      world.log.debug({ code: toShoalError(error).code }, 'announce not answered');
      this.#actor.send({ type: 'announce.failed' });
    } finally {
      this.#announcing = false;
    }
  }

  #accepted(reply: AnnounceReply): void {
    const { world, trust, membership } = this.#options;
    trust.accept(reply);
    membership.know(reply.addressBook);
    this.#options.onBook(reply.addressBook);
    this.#aliveEveryMs = Math.max(LIMITS.aliveMs, reply.aliveEveryMs);
    if (this.state !== 'announced') world.log.info({ hosts: reply.addressBook.length }, 'joined the swarm');
    this.#actor.send({ type: 'announce.accepted' });
    // Half the token's life, and often enough to keep the address book fresh: who comes early is told of few.
    const halfLifeMs = (reply.tokenExpiresAtMs - world.clock.wall()) / 2;
    const full = reply.addressBook.length >= LIMITS.addressBookHosts;
    const dueMs = Math.max(1_000, Math.min(halfLifeMs, full ? 30_000 : BOOK_GROWS_MS));
    this.#later('announce', dueMs, () => this.#actor.send({ type: 'announce.due' }));
  }

  #census({ epoch, partitions, schedulerKeys }: Census): void {
    const { membership, trust, peers } = this.#options;
    const taken = new Set(partitions.filter((partition) => epoch > membership.epoch(partition)));
    const fresh = partitions.filter((partition) => membership.acceptEpoch(partition, epoch));
    trust.learnKeys(schedulerKeys);
    peers.schedulerChanged(taken);
    if (fresh.length > 0) this.#actor.send({ type: 'census.received' });
  }

  /** Pages of what this host holds, for each partition that has any. */
  async #sendHoldings(): Promise<void> {
    const { world } = this.#options;
    const byPartition = new Map<number, TaskId[]>();
    for (const { taskId, storedBytes } of world.store.rows()) {
      if (storedBytes === 0) continue;
      const partition = partitionOf(taskId);
      const tasks = byPartition.get(partition);
      if (tasks) tasks.push(taskId);
      else byPartition.set(partition, [taskId]);
    }
    for (const [partition, tasks] of byPartition) await this.#sendPartition(partition, tasks);
  }

  async #sendPartition(partition: number, taskIds: readonly TaskId[]): Promise<void> {
    const pages: Holds['tasks'][] = [];
    let page: Holds['tasks'] = [];
    let bytes = 0;
    for (const taskId of taskIds) {
      const row = await this.#holding(taskId);
      if (row === undefined) continue;
      bytes += 160 + (row.have?.length ?? 0);
      if (page.length >= ROWS_PER_PAGE || bytes > PAGE_BYTES) {
        pages.push(page);
        page = [];
        bytes = 0;
      }
      page.push(row);
    }
    if (page.length > 0) pages.push(page);
    pages.forEach((tasks, index) => {
      this.#publishHolds(partition, { page: index, pages: pages.length, tasks, gone: [] });
    });
  }

  async #holding(taskId: TaskId): Promise<Holds['tasks'][number] | undefined> {
    const { store } = this.#options.world;
    const row = store.row(taskId);
    if (row === undefined) return undefined;
    const { length, pieceLength, audience } = row;
    if (row.complete) return { taskId, audience, length, pieceLength };
    const stored = await store.open(taskId).catch(() => undefined);
    return stored && { taskId, audience, length, pieceLength, have: stored.have.toBytes() };
  }

  #publishHolds(partition: number, page: Omit<Holds, 'incarnation'>): void {
    const { bus, incarnation } = this.#options.world;
    bus.publish(SUBJECTS.holds, { ...this.#tokens, partition: String(partition) }, { incarnation, ...page });
  }

  #evicted(taskId: TaskId): void {
    const { world } = this.#options;
    this.#publishHolds(partitionOf(taskId), { page: 0, pages: 1, tasks: [], gone: [taskId] });
    world.emit('task.evicted', taskId, { taskId, hostId: world.hostId });
    world.log.info({ taskId }, 'evicted');
  }

  /** A set for a task at work here, or a call to take part: to a seed in a new one, to a holder to tell the hashes. */
  #pushed(taskId: TaskId, set: LeaseSet): void {
    const { world, peers } = this.#options;
    if (peers.get(taskId)) return peers.push(taskId, set);
    const sources = set.sources.filter(({ url, credentials }) => !credentials && world.origin.allows(url));
    const held = world.store.row(taskId)?.complete === true;
    if (!held && (world.role !== 'seed' || sources.length === 0)) return;
    peers
      .open({ taskId, sources, headers: {}, mayReadOrigin: !held })
      .catch((err: unknown) => world.log.warn({ taskId, err: toShoalError(err) }, 'cannot take part'));
  }

  async #evict(taskId: TaskId): Promise<void> {
    const { world, peers } = this.#options;
    peers.get(taskId)?.leave();
    const held = world.store.row(taskId) !== undefined;
    await world.store.remove(taskId).catch((err: unknown) => world.log.warn({ taskId, err }, 'not removed'));
    if (held) this.#evicted(taskId);
  }

  #noteReturn(): void {
    const { world } = this.#options;
    const isolatedMs = world.clock.now() - this.#isolatedMs;
    world.log.info({ isolatedMs: Math.round(isolatedMs) }, 'nats is back');
    world.emit('host.isolated', world.hostId, { hostId: world.hostId, isolatedMs });
  }

  #drain(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    for (const cancel of this.#timers.values()) cancel();
    const { world } = this.#options;
    world.emit('host.drained', world.hostId, { hostId: world.hostId });
    this.#actor.send({ type: 'drained' });
  }

  /** Leaves the swarm in good order; what runs has been stopped before. */
  stop(): void {
    this.#actor.send({ type: 'drain' });
  }
}
