import { backoffMs } from '../../core/backoff.ts';
import { toShoalError } from '../../core/errors.ts';
import type { HostAddress } from '../../core/host.ts';
import type { Alive, AnnounceReply } from '../../core/host-messages.ts';
import { PARTITIONS, type SchedulerId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { HostEffects, HostRhythm } from '../../machines/host/host.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { type HoldsTo, sendHoldings } from './holdings.ts';
import type { Membership } from './membership.ts';
import type { Peers } from './peers.ts';
import { clockText } from './troubles.ts';
import type { Trust } from './trust.ts';
import type { HostWorld } from './world.ts';

/** What a host's membership of the swarm rests on. */
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

/** A host that knows few others asks again after this time; a swarm of so few can bear it. */
const BOOK_GROWS_MS = 2_000;
/** A census is answered within this time, or within what the scheduler said. */
const JITTER_MS = 200;
/** Between announcements that nobody answers, to begin with and at most. */
const RETRY_MS = 500;
const RETRY_MOST_MS = 5_000;

/** What the chart of a host does. */
export class HostWork implements HostEffects {
  readonly #options: HostOptions;
  #isolatedMs = 0;
  /** Partitions whose owners are to hear what is held there, and who is told it. */
  #untold = new Map<number, HoldsTo>();
  /** Announcements in a row that were not answered. */
  #unanswered = 0;
  #censusWithinMs = JITTER_MS;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  async announce(): Promise<HostRhythm> {
    const { world, trust, membership, onBook } = this.#options;
    const { hostId } = world;
    const patienceMs = Math.min(LIMITS.syncTimeoutMostMs, LIMITS.syncTimeoutMs * 2 ** this.#unanswered);
    const message = { ...this.#alive(), publicKey: trust.publicKey, patienceMs };
    const options = { timeoutMs: patienceMs };
    const reply = await world.bus.request(SUBJECTS.announce, { hostId }, message, options);
    this.#unanswered = 0;
    this.#censusWithinMs = Math.max(JITTER_MS, reply.censusWithinMs ?? 0);
    trust.accept(reply);
    membership.know(reply.addressBook);
    // It gave the token its whole life a moment ago.
    if (membership.compareClock(reply.tokenExpiresAtMs - LIMITS.tokenMs)) this.#tellClock();
    onBook(reply.addressBook);
    return this.#rhythm(reply);
  }

  #tellClock(): void {
    const { world, membership } = this.#options;
    const { clockAheadMs = 0 } = membership;
    world.log.warn({ clockAheadMs }, `the clock of this host is ${clockText(clockAheadMs)}`);
  }

  /** Half the token's life, and often enough to keep the address book fresh: who comes early is told of few. */
  #rhythm({ tokenExpiresAtMs, addressBook, aliveEveryMs }: AnnounceReply): HostRhythm {
    const halfLifeMs = (tokenExpiresAtMs - this.#options.world.clock.wall()) / 2;
    const isFull = addressBook.length >= LIMITS.addressBookHosts;
    return {
      announceMs: Math.max(1_000, Math.min(halfLifeMs, isFull ? 30_000 : BOOK_GROWS_MS)),
      aliveMs: Math.max(LIMITS.aliveMs, aliveEveryMs),
    };
  }

  #alive(): Alive {
    const { world, describe } = this.#options;
    const { bytes, tasks } = world.store.usage;
    return { ...describe(), incarnation: world.incarnation, cachedBytes: bytes, cachedTasks: tasks };
  }

  retryMs(): number {
    return backoffMs(this.#options.world.random, this.#unanswered, RETRY_MS, RETRY_MOST_MS);
  }

  tellUnanswered(error: unknown): void {
    this.#unanswered += 1;
    this.#options.world.log.debug({ code: toShoalError(error).code }, 'announce not answered');
  }

  /** The owners of these partitions know nothing of what is held; `to` is the one of all of them, where it asked. */
  owe(partitions: Iterable<number>, to?: SchedulerId): void {
    for (const partition of partitions) this.#untold.set(partition, to);
  }

  tellJoined(): void {
    const { world, membership } = this.#options;
    this.owe(Array.from({ length: PARTITIONS }, (_, partition) => partition));
    // One scheduler was asked; the others are to know the host before they hear of what it holds or wants.
    this.#sayAlive();
    world.log.info({ hosts: membership.addressBook.length }, 'joined the swarm');
  }

  #sayAlive(): void {
    const { world } = this.#options;
    world.bus.publish(SUBJECTS.alive, { hostId: world.hostId }, this.#alive());
  }

  beat(): void {
    const { world, peers } = this.#options;
    this.#sayAlive();
    world.metrics.cache(world.store.usage.bytes, world.store.usage.tasks);
    world.metrics.busState(world.bus.state);
    peers.sweep();
  }

  jitterMs(): number {
    return this.#options.world.random.next() * this.#censusWithinMs;
  }

  sendHoldings(): void {
    const partitions = this.#untold;
    this.#untold = new Map();
    this.#sayAlive();
    void sendHoldings(this.#options.world, partitions);
  }

  noteIsolation(): void {
    const { world } = this.#options;
    this.#isolatedMs = world.clock.now();
    world.log.warn({}, 'nats is out of reach; running downloads go on');
  }

  noteReturn(): void {
    const { world } = this.#options;
    const isolatedMs = world.clock.now() - this.#isolatedMs;
    world.log.info({ isolatedMs: Math.round(isolatedMs) }, 'nats is back');
    world.emit('host.isolated', world.hostId, { hostId: world.hostId, isolatedMs });
  }

  drain(): void {
    const { world } = this.#options;
    world.emit('host.drained', world.hostId, { hostId: world.hostId });
  }
}
