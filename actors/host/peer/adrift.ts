import { type Cancel, randomInt } from '../../../core/clock.ts';
import { type ShoalError, toShoalError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { SlotPool } from '../slot-pool.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import { KnownHosts } from './known-hosts.ts';
import type { LeaseBook } from './lease-book.ts';
import type { LeaseSets } from './lease-sets.ts';
import { MissingPieces } from './missing-pieces.ts';
import type { PeerNeeds } from './needs.ts';
import { nobodyHas } from './nobody-has.ts';
import type { PeerOrigin } from './origin.ts';

const TICK_MS = 100;
/** Known hosts have this long to answer before the origin is read at once. */
const ASK_FIRST_MS = 300;
/** The window in which hosts go to the origin, for each that is known to want the task, and at most. */
const WINDOW_EACH_MS = 100;
const WINDOW_MOST_MS = 5_000;
/** For so long after its first read a host reads one piece at a time: others may be about to come. */
const ALONE_AFTER_MS = 1_000;
/** Nothing of its own to read and nothing on its way for this long, and a host reads what is others' to read. */
const WIDEN_MS = 1_000;
/** Nobody to ask and no way to the origin for this long, and it is given up. */
const HOPELESS_MS = 8_000;
/** Bytes asked of a host at once. */
const RUN_BYTES = 1024 * 1024;
/** Leases are looked at for so long to see whether they carry. */
const LOOK_MS = 1_000;

/**
 * Why a peer goes on by itself: no scheduler ever answered, none answers any more, or one does and what it leases does
 * not come.
 */
export type AdriftMode = 'first' | 'lost' | 'starved';

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

/**
 * A download that does not wait for leases: pieces of known hosts, and of the origin what none of them offers. Who reads
 * which piece from the origin is agreed upon without a word, by rendezvous over the hosts that fetch the task too.
 */
export class Adrift {
  readonly #options: AdriftOptions;
  readonly #hosts: KnownHosts;
  readonly #missing: MissingPieces;
  /** Transfers that were begun here, and not by a lease. */
  readonly #own = new Set<Run>();
  #mode: AdriftMode = 'first';
  #timer: Cancel | undefined;
  #begunMs = 0;
  /** This host's moment in the window, as a share of it. */
  #moment = 0;
  /** When the last piece came, or more was taken on. */
  #movedMs = 0;
  /** The ranks for a piece up to which this host reads it. */
  #reach = 0;
  #look = { sinceMs: 0, own: 0, leased: 0 };
  /** Whether anything that was begun here has come. */
  #isFed = false;

  constructor(options: AdriftOptions) {
    this.#options = options;
    this.#hosts = new KnownHosts(options);
    this.#missing = new MissingPieces(options);
  }

  start(mode: AdriftMode): void {
    const { clock, random } = this.#options.world;
    const now = clock.now();
    this.#mode = mode;
    this.#begunMs = now;
    this.#moment = random.next();
    this.#movedMs = now;
    this.#reach = 0;
    this.#look = { sinceMs: now, own: 0, leased: 0 };
    this.#isFed = false;
    this.#hosts.clear();
    this.#tick();
  }

  stop(): void {
    this.#timer?.();
  }

  failed(run: Run, reason: FailureReason): void {
    this.#hosts.failed(run, reason);
  }

  /** Whether what is leased from there is left, so that others can give it: whoever leases it may not know better. */
  shuns({ from }: Run): boolean {
    return this.#mode === 'starved' && from !== 'origin' && this.#hosts.shuns(from.hostId);
  }

  stored(run: Run): void {
    this.#movedMs = this.#options.world.clock.now();
    this.#hosts.gave(run);
    if (!this.#own.has(run)) this.#look.leased += 1;
    else {
      this.#look.own += 1;
      this.#isFed = true;
    }
  }

  ended(run: Run): void {
    this.#own.delete(run);
  }

  get #mayReadOrigin(): boolean {
    const { origin } = this.#options;
    // A scheduler may have left the origin to others on purpose.
    return this.#mode === 'starved' ? origin.readsUnasked : origin.request() !== undefined;
  }

  /** When this host may go to the origin: those that cannot agree on it do not all come at once. */
  get #originFromMs(): number {
    const { sets } = this.#options;
    // Whoever is reading already can tell the length, and what need not be read twice.
    const askedMs = sets.knownHosts().length > 0 ? ASK_FIRST_MS : 0;
    const windowMs = Math.min(WINDOW_MOST_MS, WINDOW_EACH_MS * this.#hosts.wanting);
    return this.#begunMs + askedMs + (this.#mode === 'first' ? 0 : this.#moment * windowMs);
  }

  #fail(error: ShoalError): void {
    // Where a scheduler answers, it tells why nothing can be got.
    if (this.#mode !== 'starved') this.#options.chart.report({ type: 'task.failed', error });
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
    // Whoever lies can make a host starve; that there is no scheduler is not in its hands.
    this.#hosts.ask({ rank: this.#reach, proven: this.#mode === 'starved' });
    this.#hosts.judge();
    if (content.stored === undefined) this.#learn();
    else {
      this.#fromHosts();
      this.#fromOrigin();
    }
    this.#lookAtLeases();
  }

  /** Whether what is leased comes again, at least as fast as what is fetched beside it, and no holder failed of late. */
  #lookAtLeases(): void {
    const { world, chart } = this.#options;
    const { sinceMs, own, leased } = this.#look;
    const now = world.clock.now();
    if (now - sinceMs < LOOK_MS) return;
    this.#look = { sinceMs: now, own: 0, leased: 0 };
    // What others hold too comes by leases first: the rest would be leased from whoever does not give it.
    if (this.#mode !== 'starved' || this.#hosts.isFailed) return;
    if (leased > 1 && leased >= own) chart.report({ type: 'leases.carried' });
  }

  /** Learns the length from a host that knows it, else from the origin. */
  #learn(): void {
    const { content, world, origin, chart } = this.#options;
    const { geometry } = this.#hosts;
    if (geometry !== undefined) {
      void content.learnHeld(geometry).catch((error: unknown) => this.#fail(toShoalError(error)));
      return;
    }
    if (world.clock.now() < this.#originFromMs) return;
    if (this.#mayReadOrigin) chart.report({ type: 'probe.asked' });
    else if (origin.error) this.#fail(origin.error);
    else if (this.#isHopeless) this.#fail(nobodyHas(content));
  }

  /** Nobody to ask, and no way to the origin, for long enough. */
  get #isHopeless(): boolean {
    const { world } = this.#options;
    return world.clock.now() - Math.max(this.#movedMs, this.#originFromMs) > HOPELESS_MS;
  }

  #begin(run: Run): boolean {
    const { pool, book } = this.#options;
    if (!pool.take(() => {})) return false;
    this.#own.add(run);
    book.begin(run);
    return true;
  }

  #fromHosts(): void {
    const { world, pool, book, content } = this.#options;
    const { parents } = this.#hosts;
    const most = Math.max(4, Math.ceil(pool.total / 2 / Math.max(1, parents.length)));
    while (pool.free > 0) {
      const free = parents.filter(({ address }) => book.runningFrom(address) < most);
      let begun = false;
      while (free.length > 0 && !begun) {
        const [parent] = free.splice(randomInt(world.random, free.length), 1);
        const gives = (piece: number) =>
          parent?.reply.have.has(piece) === true && content.expected(piece) !== undefined;
        const piece = this.#missing.pick(gives);
        if (parent === undefined || piece === undefined) continue;
        const count = this.#missing.count(piece, RUN_BYTES / Math.max(4, parents.length), gives);
        begun = this.#begin({ first: piece, count, from: parent.address, hedge: false });
      }
      if (!begun) return;
    }
  }

  #fromOrigin(): void {
    const { world, content, book, origin } = this.#options;
    if (world.clock.now() < this.#originFromMs || content.complete) return;
    if (!this.#mayReadOrigin) {
      if (book.runningCount === 0 && this.#isHopeless) this.#fail(origin.error ?? nobodyHas(content));
      return;
    }
    const { sharers } = this.#hosts;
    const share = Math.floor(LIMITS.originLeasesPerTask / (1 + sharers));
    const most = this.#isCareful ? LIMITS.originLeasesPerHost : LIMITS.originLeasesLoneHost;
    const limit = Math.max(LIMITS.originLeasesPerHost, Math.min(most, share));
    // A reader does not wait until one of the others has ended.
    const isUrgent = () => sharers === 0 && content.ranges && this.#missing.urgent !== undefined;
    while (book.runningFrom('origin') < limit || (book.runningFrom('origin') === limit && isUrgent())) {
      const run = content.ranges ? this.#originRun(sharers) : this.#stream();
      if (run === undefined) return this.#widen();
      if (!this.#begin(run)) return;
    }
  }

  /** Whether it reads piece by piece: those about to read too may not have been heard of yet, or peers may give again. */
  get #isCareful(): boolean {
    const { world, sets } = this.#options;
    if (this.#mode === 'starved' && !this.#isFed) return true;
    return sets.knownHosts().length > 0 && world.clock.now() - this.#originFromMs < ALONE_AFTER_MS;
  }

  /** A piece to read from the origin, with those after it that are this host's to read too. */
  #originRun(sharers: number): Run | undefined {
    const sample = this.#hosts.sample((piece) => this.#missing.has(piece));
    if (sample !== undefined) return { first: sample, count: 1, from: 'origin', hedge: false };
    const reach = this.#reach;
    const wanted = (piece: number) =>
      (sharers === 0 || this.#hosts.rank(piece) <= reach) && !this.#hosts.offers(piece);
    const first = this.#missing.pick(wanted);
    if (first === undefined) return undefined;
    // What is another's to read may be on its way there.
    const count = this.#missing.count(first, reach > 0 || this.#isCareful ? 0 : LIMITS.leaseBytes, wanted);
    return { first, count, from: 'origin', hedge: false };
  }

  /** Nothing is left that is this host's to read: where nothing comes either, it takes on what is others'. */
  #widen(): void {
    const now = this.#options.world.clock.now();
    if (this.#own.size > 0 || now - this.#movedMs < WIDEN_MS) return;
    this.#reach = Math.min(2 * this.#reach + 1, LIMITS.addressBookHosts);
    this.#movedMs = now;
  }

  /** All of it, in order, where the origin gives no ranges: not a second time where nothing could tell that it is the same. */
  #stream(): Run | undefined {
    const { content, book } = this.#options;
    const isOnce = content.digest === undefined && content.etag === undefined;
    if (book.runningFrom('origin') > 0 || (isOnce && this.#mode === 'starved')) return undefined;
    return { first: 0, count: content.pieces ?? LIMITS.piecesPerTask, from: 'origin', hedge: false };
  }
}
