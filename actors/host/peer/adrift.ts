import { type Cancel, randomInt } from '../../../core/clock.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { HostAddress } from '../../../core/host.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { rendezvous } from '../../../core/rendezvous.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { HaveReply } from '../../../dataplane/data-plane.ts';
import type { SlotPool } from '../slot-pool.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { LeaseBook } from './lease-book.ts';
import type { LeaseSets } from './lease-sets.ts';
import type { PeerNeeds } from './needs.ts';
import { nobodyHas } from './nobody-has.ts';
import type { PeerOrigin } from './origin.ts';

const TICK_MS = 100;
/** How often a known host is asked what it has. */
const ASK_MS = 500;
/** Known hosts have this long to answer before the origin is read at once. */
const ASK_FIRST_MS = 300;
/** A host that failed is left alone for this long. */
const AVOID_MS = 3_000;
/** One that has no free slot is asked again soon. */
const BUSY_MS = 200;
const PER_PARENT = 4;
/** Without a piece for this long, pieces that are another's to read are read here. */
const STARVED_MS = 4_000;

interface AdriftOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly pool: SlotPool;
  readonly book: LeaseBook;
  readonly origin: PeerOrigin;
  /** Knows the hosts to ask. */
  readonly sets: LeaseSets;
  /** Knows the piece that a reader needs next. */
  readonly needs: PeerNeeds;
  readonly chart: PeerChart;
}

interface KnownHost {
  readonly address: HostAddress;
  reply: HaveReply | undefined;
  askedMs: number;
  avoidUntilMs: number;
}

/**
 * A download without a scheduler: pieces of known hosts first, then the origin. Who reads which piece from the
 * origin is agreed upon without a word, by rendezvous over the hosts known; a hash is believed of the host that is
 * responsible for its piece, as it would be of the holder of an origin lease.
 */
export class Adrift {
  readonly #options: AdriftOptions;
  readonly #known = new Map<HostId, KnownHost>();
  #timer: Cancel | undefined;
  #originFromMs = 0;
  #progressMs = 0;
  #held = 0;
  /** Where the last reader is, in pieces: a lone host reads on from there. */
  #cursor = 0;

  constructor(options: AdriftOptions) {
    this.#options = options;
  }

  /** @param first no scheduler ever answered: the origin is read at once, from a random piece. */
  start(first: boolean): void {
    const { clock, random } = this.#options.world;
    const delayMs =
      LIMITS.adriftOriginMinMs + random.next() * (LIMITS.adriftOriginMaxMs - LIMITS.adriftOriginMinMs);
    // Whoever is reading already can tell the length, and what need not be read twice.
    const askedMs = this.#hosts.length > 0 ? ASK_FIRST_MS : 0;
    this.#originFromMs = clock.now() + (first ? askedMs : delayMs);
    this.#progressMs = clock.now();
    this.#tick();
  }

  stop(): void {
    this.#timer?.();
    this.#known.clear();
  }

  /** A run failed; its parent is left alone for a while, and for good where it gave wrong bytes. */
  failed(run: Run, reason: FailureReason): void {
    const known = run.from === 'origin' ? undefined : this.#known.get(run.from.hostId);
    if (known === undefined) return;
    const now = this.#options.world.clock.now();
    if (reason === 'busy') {
      known.avoidUntilMs = now + BUSY_MS;
      return;
    }
    known.reply = undefined;
    known.avoidUntilMs = reason === 'corrupt' ? Number.POSITIVE_INFINITY : now + AVOID_MS;
  }

  get #hosts(): readonly HostAddress[] {
    return this.#options.sets.knownHosts();
  }

  get #mayReadOrigin(): boolean {
    return this.#options.origin.request() !== undefined;
  }

  #fail(error: ShoalError): void {
    this.#options.chart.report({ type: 'task.failed', error });
  }

  /** A transfer ended well, or a reader starves: what can be begun is begun at once. */
  more(): void {
    if (this.#options.content.stored === undefined) return;
    this.#fromHosts();
    this.#fromOrigin();
  }

  #tick(): void {
    const { world, content } = this.#options;
    // First: what follows may be the end of it.
    this.#timer = world.clock.after(TICK_MS, () => this.#tick());
    for (const address of this.#hosts) this.#ask(address);
    const count = content.stored?.have.count ?? 0;
    if (count !== this.#held) this.#progressMs = world.clock.now();
    this.#held = count;
    if (content.stored === undefined) this.#learn();
    else {
      this.#fromHosts();
      this.#fromOrigin();
    }
  }

  /** Learns the length from a host that knows it, else from the origin. */
  #learn(): void {
    const { content, world, origin, chart } = this.#options;
    for (const { reply } of this.#known.values()) {
      if (reply?.length === undefined) continue;
      void content.learnHeld(reply).catch((error: unknown) => this.#fail(toShoalError(error)));
      return;
    }
    if (world.clock.now() < this.#originFromMs) return;
    if (this.#mayReadOrigin) chart.report({ type: 'probe.asked' });
    else if (origin.error) this.#fail(origin.error);
    else if (this.#hopeless()) this.#fail(nobodyHas(content));
  }

  /** Nobody to ask, and no way to the origin, for long enough. */
  #hopeless(): boolean {
    const { world } = this.#options;
    return world.clock.now() - Math.max(this.#progressMs, this.#originFromMs) > 2 * STARVED_MS;
  }

  #ask(address: HostAddress): void {
    const { world, content } = this.#options;
    const now = world.clock.now();
    const known = this.#known.get(address.hostId) ?? {
      address,
      reply: undefined,
      askedMs: Number.NEGATIVE_INFINITY,
      avoidUntilMs: 0,
    };
    this.#known.set(address.hostId, known);
    const settled = known.reply?.length !== undefined && known.reply.have.complete;
    if (now < known.avoidUntilMs || now - known.askedMs < (settled ? 10 * ASK_MS : ASK_MS)) return;
    known.askedMs = now;
    const giveUp = new AbortController();
    const cancel = world.clock.after(LIMITS.firstByteMs, () =>
      giveUp.abort(new ShoalError('ERR_PEER_STALLED', `host ${address.hostId} does not say what it has`)),
    );
    world.dataPlane
      .have({ parent: address, taskId: content.taskId, isPublic: content.isPublic }, giveUp.signal)
      .finally(cancel)
      .then((reply) => {
        if (known.avoidUntilMs === Number.POSITIVE_INFINITY) return;
        // Bytes of another place are not put to those that are here.
        if (!content.isOf(reply.home)) return;
        known.reply = reply;
        this.#believe(address.hostId, reply);
      })
      .catch(() => {
        known.reply = undefined;
        known.avoidUntilMs = Math.max(known.avoidUntilMs, world.clock.now() + ASK_MS);
      });
  }

  /** With a digest every hash may be tried, since the whole is compared; else only a responsible host's. */
  #believe(hostId: HostId, reply: HaveReply): void {
    const { content } = this.#options;
    for (const { piece, hash } of reply.hashes) {
      if (content.expected(piece) !== undefined) continue;
      if (content.digest !== undefined || this.#responsible(piece) === hostId) content.expect(piece, hash);
    }
  }

  #responsible(piece: number): HostId | undefined {
    const hosts = [this.#options.world.hostId, ...this.#hosts.map(({ hostId }) => hostId)];
    return rendezvous(`${this.#options.content.taskId}/${piece}`, hosts);
  }

  #fromHosts(): void {
    const { world, pool, book } = this.#options;
    const now = world.clock.now();
    const parents = [...this.#known.values()].filter(
      ({ reply, avoidUntilMs }) => reply && now >= avoidUntilMs,
    );
    while (pool.free > 0) {
      const free = parents.filter(({ address }) => book.runningFrom(address) < PER_PARENT);
      let begun = false;
      while (free.length > 0 && !begun) {
        const [parent] = free.splice(randomInt(world.random, free.length), 1);
        const piece = parent && this.#pieceOf(parent);
        if (parent === undefined || piece === undefined || !pool.take(() => {})) continue;
        book.begin({ first: piece, count: 1, from: parent.address, hedge: false });
        begun = true;
      }
      if (!begun) return;
    }
  }

  /** A piece that the host has and this one lacks. */
  #pieceOf({ reply }: KnownHost): number | undefined {
    const { content } = this.#options;
    return this.#pick((piece) => reply?.have.has(piece) === true && content.expected(piece) !== undefined);
  }

  /** What a reader needs next; else from where it is on where nobody else reads, or from a random place on. */
  #pick(wanted: (piece: number) => boolean): number | undefined {
    const { world, content, book } = this.#options;
    const urgent = this.#urgentPiece();
    if (urgent !== undefined && wanted(urgent)) return urgent;
    const pieces = content.pieces ?? (content.stored?.have.length || 0);
    const from = world.alone ? this.#cursor : pieces === 0 ? 0 : randomInt(world.random, pieces);
    for (let step = 0; step < pieces; step += 1) {
      const piece = (from + step) % pieces;
      if (!content.has(piece) && !book.isInFlight(piece) && wanted(piece)) return piece;
    }
    return undefined;
  }

  #urgentPiece(): number | undefined {
    const piece = this.#options.needs.urgent;
    this.#cursor = piece ?? this.#cursor;
    return piece;
  }

  #fromOrigin(): void {
    const { world, content, pool, book, origin } = this.#options;
    if (world.clock.now() < this.#originFromMs || content.complete) return;
    if (!this.#mayReadOrigin) {
      if (book.runningCount === 0 && this.#hopeless()) this.#fail(origin.error ?? nobodyHas(content));
      return;
    }
    const others = this.#hosts.length > 0;
    const limit = others ? LIMITS.originLeasesPerHost : LIMITS.originLeasesLoneHost;
    const starved = world.clock.now() - this.#progressMs > STARVED_MS;
    // A reader does not wait until one of the others has ended.
    const isUrgent = () => !others && content.ranges && this.#urgentPiece() !== undefined;
    while (book.runningFrom('origin') < limit || (book.runningFrom('origin') === limit && isUrgent())) {
      const run = content.ranges ? this.#originRun(others && !starved) : this.#stream();
      if (run === undefined || !pool.take(() => {})) return;
      book.begin(run);
    }
  }

  /** A piece to read from the origin, with those after it that are this host's to read too. */
  #originRun(ownOnly: boolean): Run | undefined {
    const { content, world } = this.#options;
    const mine = (piece: number) => !ownOnly || this.#responsible(piece) === world.hostId;
    const offered = (piece: number) =>
      [...this.#known.values()].some(({ reply }) => reply?.have.has(piece)) &&
      content.expected(piece) !== undefined;
    const wanted = (piece: number) => mine(piece) && !offered(piece);
    const first = this.#pick(wanted);
    if (first === undefined || content.pieceLength === undefined) return undefined;
    const longest = ownOnly ? 1 : Math.max(1, Math.floor(LIMITS.leaseBytes / content.pieceLength));
    let count = 1;
    while (count < longest && this.#free(first + count) && wanted(first + count)) count += 1;
    return { first, count, from: 'origin', hedge: false };
  }

  #free(piece: number): boolean {
    const { content, book } = this.#options;
    return piece < (content.pieces ?? 0) && !content.has(piece) && !book.isInFlight(piece);
  }

  #stream(): Run | undefined {
    const { content, book } = this.#options;
    if (book.runningFrom('origin') > 0) return undefined;
    return { first: 0, count: content.pieces ?? LIMITS.piecesPerTask, from: 'origin', hedge: false };
  }
}
