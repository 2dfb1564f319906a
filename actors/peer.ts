import { type Actor, createActor } from 'xstate';
import type { Cancel } from '../core/clock.ts';
import { errorFromWire, ShoalError, toShoalError } from '../core/errors.ts';
import { unpackHashes } from '../core/hash-page.ts';
import type { HostAddress } from '../core/host.ts';
import { type HostId, partitionOf, type TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Probed } from '../core/probed.ts';
import type { Source } from '../core/source.ts';
import type { LeaseSet, SyncReply } from '../core/sync-messages.ts';
import { peerMachine } from '../machines/peer.ts';
import type { OpenBody, OriginRequest } from '../origins/origin.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import { Adrift } from './adrift.ts';
import type { HostWorld } from './host-world.ts';
import { LeaseBook } from './lease-book.ts';
import type { Membership } from './membership.ts';
import { PeerContent } from './peer-content.ts';
import { PeerStats } from './peer-stats.ts';
import type { SlotPool } from './slot-pool.ts';
import { SyncState } from './sync-state.ts';
import { type Run, Transfer, type TransferEnd } from './transfer.ts';
import { readSamples, WholeCheck } from './whole.ts';

/** What a client's request brings to a peer: where the content is, and as whom to ask there. */
export interface PeerInput {
  readonly taskId: TaskId;
  readonly sources: readonly Source[];
  /** Sent to the first source, and to nobody else. */
  readonly headers: Readonly<Record<string, string>>;
  readonly mayReadOrigin: boolean;
  /** The origin was asked to resolve the URL, and its body is open. */
  readonly opened?: { readonly probed: Probed; readonly body: OpenBody | undefined };
}

/** One host's part in one task: syncs with the scheduler, runs the leases, proves the whole. */
export class PeerActor {
  readonly taskId: TaskId;
  readonly content: PeerContent;
  readonly stats: PeerStats;
  readonly #world: HostWorld;
  readonly #membership: Membership;
  readonly #pool: SlotPool;
  readonly #book: LeaseBook;
  readonly #sync: SyncState;
  readonly #adrift: Adrift;
  readonly #whole: WholeCheck;
  readonly #actor: Actor<typeof peerMachine>;
  readonly #tokens: { partition: string; taskId: string; hostId: string };
  readonly #partition: number;
  readonly #parents = new Map<HostId, HostAddress>();
  readonly #abort = new AbortController();
  readonly #listeners = new Set<() => void>();
  #input: PeerInput;
  #mayReadOrigin: boolean;
  #originError: ShoalError | undefined;
  #syncTimer: Cancel | undefined;
  #idleTimer: Cancel | undefined;
  #syncing = false;
  #syncSoon = false;
  #lastSyncMs = Number.NEGATIVE_INFINITY;
  #intervalMs: number = LIMITS.syncMinIntervalMs;
  #fruitless = 0;
  #answeredMs: number;
  #patienceMs: number;
  #probing = false;
  /** The whole contradicts the digest, and the scheduler has not settled yet why. */
  #contradicted = false;
  #sampling = false;
  #allTold = false;
  #error: ShoalError | undefined;
  #released: Promise<void> | undefined;
  urgent: number | undefined;

  constructor(world: HostWorld, membership: Membership, pool: SlotPool, input: PeerInput) {
    this.taskId = input.taskId;
    this.#world = world;
    this.#membership = membership;
    this.#pool = pool;
    this.#input = input;
    this.#mayReadOrigin = input.mayReadOrigin;
    const life = Buffer.from(world.random.bytes(8)).toString('hex');
    this.content = new PeerContent(world.store, input.taskId, input.sources, life);
    this.#whole = new WholeCheck(this.content, this.#abort.signal);
    this.#sync = new SyncState(world.incarnation, this.content);
    this.stats = new PeerStats(world.clock);
    this.#partition = partitionOf(input.taskId);
    this.#tokens = { partition: String(this.#partition), taskId: input.taskId, hostId: world.hostId };
    this.#answeredMs = world.clock.now();
    this.#patienceMs = world.alone
      ? 0
      : LIMITS.firstSyncMinMs + world.random.next() * (LIMITS.firstSyncMaxMs - LIMITS.firstSyncMinMs);
    this.#book = new LeaseBook({
      pool,
      isHeld: (first, count) => this.content.hasRun(first, count),
      isReady: (run) => this.#isReady(run),
      start: (run, opened) => this.#start(run, opened),
      onEnd: (end) => this.#transferEnded(end),
    });
    this.#adrift = new Adrift({
      world,
      content: this.content,
      pool,
      book: this.#book,
      hosts: () => this.#knownHosts(),
      mayReadOrigin: () => this.originRequest() !== undefined,
      probe: () => this.#probe(),
      fail: (error) => this.#fail(error),
      originError: () => this.#originError,
    });
    this.#actor = createActor(
      peerMachine.provide({
        actions: {
          startAdrift: () => this.#startAdrift(),
          stopAdrift: () => this.#stopAdrift(),
          compareWhole: () => void this.#compareWhole(),
          complete: () => this.#complete(),
          giveUp: ({ context }) => {
            this.#error = context.error ? errorFromWire(context.error) : undefined;
          },
          release: () => {
            this.#released = this.#release();
          },
        },
      }),
    );
    this.#actor.subscribe({
      next: () => this.#tell(),
      error: (error) => {
        this.#error = toShoalError(error);
        world.log.error({ taskId: this.taskId, err: error }, 'peer actor crashed');
        this.#released = this.#release();
        this.#tell();
      },
    });
  }

  /** Takes up what is on disk, and begins. */
  async start(): Promise<void> {
    await this.content.reopen();
    this.stats.local = this.content.storedBytes;
    this.#actor.start();
    this.#world.emit('peer.joined', this.taskId, { taskId: this.taskId, hostId: this.#world.hostId });
    const { opened } = this.#input;
    if (opened) await this.#opened(opened.probed, opened.body);
    this.#checkSource();
    if (this.#checkComplete()) return this.#tellHashes();
    if (this.#world.alone) this.#actor.send({ type: 'sync.silent' });
    else this.#scheduleSync(true);
  }

  /** A source that this host may not read is as good as a refusal by it. */
  #checkSource(): void {
    const request = this.originRequest();
    if (request === undefined || this.#world.origin.allows(request.url)) return;
    const { host } = new URL(request.url);
    const error = new ShoalError(
      'ERR_SOURCE_ADDRESS_REFUSED',
      `${host} is not an origin that this host reads`,
    );
    this.#originFailed('origin-status', error);
    this.#sync.failed({
      first: 0,
      count: 0,
      parent: 'origin',
      reason: 'origin-status',
      error: error.toWire(),
    });
  }

  get state(): 'joining' | 'transferring' | 'adrift' | 'verifying' | 'serving' | 'failed' | 'left' {
    return this.#actor.getSnapshot().value;
  }

  get error(): ShoalError | undefined {
    return this.#error;
  }

  get ended(): boolean {
    return this.state === 'failed' || this.state === 'left' || this.#error !== undefined;
  }

  get parentCount(): number {
    return this.stats.parents.size;
  }

  /** Calls back whenever anything changed; returns how to stop that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#idleTimer?.();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      if (this.state === 'serving') this.#startIdleTimer();
      else if (!this.ended) this.#actor.send({ type: 'leave' });
    };
  }

  /** Another client wants the same content, perhaps from another source or as somebody else. */
  addInput(input: PeerInput): void {
    for (const source of input.sources) this.content.addSource(source);
    if (input.mayReadOrigin && !this.#mayReadOrigin) {
      this.#input = input;
      this.#mayReadOrigin = true;
      this.#scheduleSync(true);
    }
    if (input.opened?.body) input.opened.body.discard();
  }

  /** A reader has nothing buffered and needs this piece next. */
  starve(piece: number): void {
    if (this.urgent === piece || this.content.has(piece) || this.#book.isInFlight(piece)) return;
    this.urgent = piece;
    this.#scheduleSync(true);
  }

  /** A set that the scheduler pushed. */
  push(set: LeaseSet): void {
    if (!this.ended) void this.#pushed(set).catch((error: unknown) => this.#fail(toShoalError(error)));
  }

  async #pushed(set: LeaseSet): Promise<void> {
    const before = this.#sync.seen.epoch;
    await this.#apply(set);
    if (this.#sync.seen.epoch > before) this.#tellHashes();
  }

  /** A scheduler that lost its log knows no hashes: who has all, and has proven it, tells them. */
  #tellHashes(): void {
    const { stored } = this.content;
    if (stored?.complete !== true || this.ended) return;
    for (const piece of this.#allTold ? [] : stored.have.ones()) {
      const hash = stored.hash(piece);
      if (hash !== undefined) this.#sync.readFromOrigin(piece, hash);
    }
    this.#allTold = true;
    this.#scheduleSync(true);
  }

  leave(): void {
    this.#actor.send({ type: 'leave' });
  }

  /** Leaves, and resolves when nothing runs any more and the scheduler has been told. */
  async stop(): Promise<void> {
    this.leave();
    await this.#released;
  }

  /** The request to the origin, as whoever asked for the content. */
  readonly originRequest = (): OriginRequest | undefined => {
    const own = this.#input.sources[0];
    const source = own ?? this.content.sources.find(({ credentials }) => !credentials);
    if (source === undefined || !this.#mayReadOrigin) return undefined;
    return { url: source.url, headers: source === own ? this.#input.headers : {} };
  };

  // --- syncs ---

  #wants(): boolean {
    const { state } = this;
    return state === 'joining' || state === 'transferring' || state === 'adrift';
  }

  #scheduleSync(soon: boolean): void {
    if (this.ended || this.#world.alone) return;
    this.#syncSoon ||= soon;
    if (this.#syncing) return;
    this.#syncTimer?.();
    const gapMs = this.#syncSoon ? this.#intervalMs / 2 : this.#intervalMs;
    const delayMs = Math.max(0, this.#lastSyncMs + gapMs - this.#world.clock.now());
    this.#syncTimer = this.#world.clock.after(delayMs, () => void this.#syncOnce());
  }

  async #syncOnce(): Promise<void> {
    const { bus, clock } = this.#world;
    this.#syncing = true;
    this.#syncSoon = false;
    this.#lastSyncMs = clock.now();
    const request = this.#sync.request({
      running: this.#book.runningPieces().slice(0, 16_384),
      queued: this.#book.queuedPieces().slice(0, 16_384),
      freeSlots: this.#freeSlots(),
      transferBytesPerSec: this.stats.transferBytesPerSec,
      urgent: this.urgent,
      wants: this.#wants(),
      mayReadOrigin: this.#readsOrigin(),
      adrift: this.state === 'adrift',
      received: this.stats.received(),
      originReasons: this.stats.originReasons,
    });
    try {
      const options = { timeoutMs: LIMITS.syncTimeoutMs, signal: this.#abort.signal };
      const reply = await bus.request(SUBJECTS.sync, this.#tokens, request, options);
      await this.#answered(reply);
    } catch (error) {
      this.#unanswered(toShoalError(error));
    } finally {
      this.#syncing = false;
    }
    if (this.ended || (this.state === 'serving' && !this.#sync.hasNews)) return;
    if (this.#contradicted && !this.#sampling && !this.#sync.hasNews) this.#sync.mismatched([], []);
    const hungry = this.#pool.free > 0 && this.#book.queuedCount === 0 && this.#fruitless < 1;
    this.#scheduleSync(this.#syncSoon || (this.state === 'transferring' && hungry));
  }

  async #answered(reply: SyncReply): Promise<void> {
    if (reply.status === 'refused') throw errorFromWire(reply.error);
    this.#answeredMs = this.#world.clock.now();
    this.#patienceMs = LIMITS.adriftAfterMs;
    if (reply.status === 'full') {
      this.#sync.startOver();
      this.#syncSoon = true;
      return;
    }
    this.#intervalMs = reply.intervalMs;
    this.#sync.acknowledged(reply.seq, reply.epoch);
    this.#actor.send({ type: 'sync.answered' });
    await this.#apply(reply);
  }

  #unanswered(error: ShoalError): void {
    if (error.code === 'ERR_CANCELLED' || this.ended) return;
    this.#world.log.debug({ taskId: this.taskId, code: error.code }, 'sync not answered');
    if (error.code === 'ERR_STORE_FULL' || error.code === 'ERR_STORE_IO') return this.#fail(error);
    this.#intervalMs = Math.max(this.#intervalMs, 250);
    if (this.#world.clock.now() - this.#answeredMs < this.#patienceMs) return;
    if (this.#wants()) this.#actor.send({ type: 'sync.silent' });
    else if (this.#contradicted) void this.#refuted();
  }

  /** Leases that can be taken beyond those that run or wait: the free slots, and two intervals ahead. */
  #freeSlots(): number {
    const aheadMs = 2 * this.#intervalMs;
    const ahead = Math.min(LIMITS.slotsDown, Math.ceil(this.stats.leasesPerSec() * (aheadMs / 1000)));
    return Math.max(0, this.#pool.free + ahead - this.#book.queuedCount);
  }

  async #apply(set: LeaseSet): Promise<void> {
    if (!this.#membership.acceptEpoch(this.#partition, set.epoch) || !this.#sync.accept(set)) return;
    if (set.error) return this.#fail(errorFromWire(set.error));
    for (const source of set.sources) this.content.addSource(source);
    if (set.claim > this.#sync.claim && this.#sync.claim > 0) await this.#dropClaim();
    this.#sync.claim = set.claim;
    if (this.content.pieceLength === undefined && set.pieceLength !== undefined) {
      this.content.audience = set.audience;
      this.content.ranges = set.ranges;
      this.content.etag ??= set.etag;
      await this.content.learn(set.length, set.pieceLength);
    } else if (set.length !== undefined && set.pieceLength !== undefined) {
      await this.content.learn(set.length, set.pieceLength);
    }
    await this.#learnHashes(set);
    for (const parent of set.parents) this.#parents.set(parent.hostId, parent);
    if (set.samples) void this.#readSamples(set.samples);
    if (set.probe) void this.#probe();
    if (this.#checkComplete() || this.ended) return;
    const fresh = this.#book.replace(this.#runs(set));
    this.#fruitless = fresh > 0 ? 0 : this.#fruitless + 1;
  }

  async #learnHashes(set: LeaseSet): Promise<void> {
    const hashes = unpackHashes(set.hashes ?? new Uint8Array()) ?? [];
    if (set.hashFrom > this.#sync.hashCursor) return;
    const wrong = this.content.expectAll(hashes);
    this.#sync.hashCursor = Math.max(this.#sync.hashCursor, set.hashFrom + hashes.length);
    if (hashes.length === LIMITS.hashesPerPage) this.#syncSoon = true;
    if (wrong.length === 0) return;
    await this.content.drop(wrong);
    this.#whole.reset();
    this.#contradicted = false;
    this.#actor.send({ type: 'whole.differed' });
    this.#sync.startOver();
    this.#syncSoon = true;
  }

  #runs(set: LeaseSet): Run[] {
    const runs: Run[] = [];
    for (const { first, count, parent, hedge } of set.leases) {
      if (parent === 'origin') this.#vouch(first, count);
      const from = parent === 'origin' ? 'origin' : this.#parents.get(parent);
      if (from !== undefined) runs.push({ first, count, from, hedge: hedge ?? false });
    }
    return runs;
  }

  /** Pieces to be read from the origin that are here already: their hashes are all that is missing. */
  #vouch(first: number, count: number): void {
    const { stored, pieces = 0 } = this.content;
    for (let piece = first; piece < Math.min(first + count, pieces); piece += 1) {
      const hash = stored?.have.has(piece) ? stored.hash(piece) : undefined;
      if (hash === undefined) continue;
      this.content.expect(piece, hash);
      this.#sync.readFromOrigin(piece, hash);
    }
  }

  // --- transfers ---

  #isReady(run: Run): boolean {
    if (this.content.stored === undefined) return false;
    if (run.from === 'origin') return true;
    for (let piece = run.first; piece < run.first + run.count; piece += 1) {
      if (!this.content.has(piece) && this.content.expected(piece) === undefined) return false;
    }
    return true;
  }

  #start(run: Run, opened: OpenBody | undefined): Transfer {
    this.#world.metrics.slots('down', this.#pool.used, this.#pool.total);
    return new Transfer(
      {
        world: this.#world,
        content: this.content,
        originRequest: this.originRequest,
        seize: (piece) => this.#book.seize(piece),
        onBytes: (bytes, from) => this.stats.bytesCame(bytes, from),
        onStored: (piece, hash, length, from) => this.#pieceStored(piece, hash, length, from),
      },
      run,
      opened,
    );
  }

  #pieceStored(piece: number, hash: Uint8Array, length: number, from: HostAddress | 'origin'): void {
    if (from === 'origin') {
      this.content.expect(piece, hash);
      this.#sync.readFromOrigin(piece, hash);
      this.stats.originRead(length, this.#originReason());
      this.#world.metrics.originRead(this.#originReason(), length);
    }
    this.#sync.stored(piece);
    this.#whole.advance();
    this.stats.pieceCame(length, from);
    this.#world.metrics.received(from === 'origin' ? 'origin' : 'peer', length);
    if (this.urgent === piece) this.urgent = undefined;
    this.#book.dropHedges(piece);
    const parent = from === 'origin' ? 'origin' : from.hostId;
    this.#world.emit('piece.verified', this.taskId, this.#pieceEvent(parent, piece));
    this.#tell();
    this.#checkComplete();
  }

  #pieceEvent(parent: string, piece: number) {
    return { taskId: this.taskId, hostId: this.#world.hostId, parent, piece };
  }

  #originReason(): 'adrift' | 'credentials' | 'lone-host' | 'no-holder' {
    if (this.#world.alone) return 'lone-host';
    if (this.state === 'adrift') return 'adrift';
    return this.content.audience === 'source' ? 'credentials' : 'no-holder';
  }

  #transferEnded({ run, bytes, durationMs, failure }: TransferEnd): void {
    if (this.#actor.getSnapshot().status !== 'active') return;
    this.stats.transferEnded(bytes, durationMs);
    this.#world.metrics.slots('down', this.#pool.used, this.#pool.total);
    if (failure) this.#transferFailed(run, failure.reason, failure.error);
    if (!this.#checkComplete()) this.#scheduleSync(this.#book.queuedCount === 0 || failure !== undefined);
  }

  #transferFailed(run: Run, reason: NonNullable<TransferEnd['failure']>['reason'], error: ShoalError): void {
    const world = this.#world;
    const parent = run.from === 'origin' ? 'origin' : run.from.hostId;
    world.metrics.pieceFailed(reason);
    world.log.debug({ taskId: this.taskId, piece: run.first, parent, reason, err: error }, 'transfer failed');
    world.emit('piece.failed', this.taskId, { ...this.#pieceEvent(parent, run.first), reason });
    if (reason === 'corrupt' && run.from !== 'origin') {
      const piece = typeof error.details['piece'] === 'number' ? error.details['piece'] : run.first;
      world.emit('piece.rejected', this.taskId, this.#pieceEvent(parent, piece));
      world.log.warn(
        { taskId: this.taskId, parent, piece },
        'a parent served wrong bytes; they were not kept',
      );
    }
    if (run.from === 'origin' && reason !== 'store') this.#originFailed(reason, error);
    if (reason === 'store') return this.#fail(error);
    const url = run.from === 'origin' ? this.originRequest()?.url : undefined;
    this.#sync.failed({
      first: run.first,
      count: run.count,
      parent,
      reason,
      ...(url === undefined ? {} : { sourceUrl: url }),
      error: error.toWire(),
    });
    this.#adrift.failed(run, reason);
  }

  /** The origin refused for good, or is out of reach: this host does not read it again in this task. */
  #originFailed(reason: string, error: ShoalError): void {
    this.#originError = error;
    if (reason.startsWith('origin-')) this.#mayReadOrigin = false;
    if (error.code === 'ERR_TASK_CHANGED') this.#fail(error);
  }

  /** Reads the origin's first bytes, to learn the length; what comes is used. */
  async #probe(): Promise<void> {
    const request = this.originRequest();
    if (this.#probing || request === undefined || this.content.stored !== undefined) return;
    this.#probing = true;
    try {
      const prefixBytes = LIMITS.resolveBytes;
      const answer = await this.#world.origin.probe({ ...request, prefixBytes }, this.#abort.signal);
      if (answer.kind === 'content') await this.#opened(answer.probed, answer.body);
    } catch (thrown) {
      const error = toShoalError(thrown);
      if (error.code === 'ERR_CANCELLED') return;
      const run: Run = { first: 0, count: 0, from: 'origin', hedge: false };
      this.#transferFailed(run, error.retryable ? 'origin-unavailable' : 'origin-status', error);
    } finally {
      this.#probing = false;
      this.#scheduleSync(true);
    }
  }

  async #opened(probed: Probed, body: OpenBody | undefined): Promise<void> {
    if (this.content.stored === undefined) await this.content.learnProbed(probed);
    else this.content.ranges = probed.ranges;
    this.#sync.probed(probed);
    const { pieceLength, pieces } = this.content;
    if (body === undefined || pieceLength === undefined || this.content.complete) return body?.discard();
    const prefix = Math.max(1, Math.ceil(LIMITS.resolveBytes / pieceLength));
    const count = this.content.ranges ? Math.min(prefix, pieces ?? prefix) : (pieces ?? LIMITS.piecesPerTask);
    if (count === 0 || this.content.hasRun(0, count) || !this.#pool.take(() => {})) return body.discard();
    this.#book.begin({ first: 0, count, from: 'origin', hedge: false }, body);
  }

  #readsOrigin(): boolean {
    const request = this.originRequest();
    if (request === undefined || !this.#world.origin.allows(request.url)) return false;
    return this.#world.originReaders === 'all' || this.#world.role === 'seed';
  }

  // --- the whole ---

  #checkComplete(): boolean {
    if (!this.content.complete) return false;
    if (this.#wants()) this.#actor.send({ type: 'pieces.completed' });
    return true;
  }

  async #compareWhole(): Promise<void> {
    try {
      if (await this.#whole.agrees()) return this.#actor.send({ type: 'whole.agreed' });
      this.#world.log.warn({ taskId: this.taskId }, 'the whole contradicts the digest');
      if (this.#world.alone || this.#answeredMs + LIMITS.adriftAfterMs < this.#world.clock.now()) {
        return await this.#refuted();
      }
      this.#contradicted = true;
      this.#sync.mismatched([], []);
      this.#scheduleSync(true);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#fail(toShoalError(error));
    }
  }

  async #readSamples(samples: readonly number[]): Promise<void> {
    const request = this.originRequest();
    if (request === undefined || this.#sampling) return;
    this.#sampling = true;
    try {
      const { origin } = this.#world;
      const { agreed, differed } = await readSamples(
        origin,
        request,
        this.content,
        samples,
        this.#abort.signal,
      );
      this.#sync.mismatched(agreed, differed);
    } catch (error) {
      this.#world.log.warn({ taskId: this.taskId, err: error }, 'the source could not be read again');
    } finally {
      this.#sampling = false;
      this.#scheduleSync(true);
    }
  }

  async #dropClaim(): Promise<void> {
    await this.content.discard();
    this.#whole.reset();
    this.#contradicted = false;
    this.#sync.forgetClaim();
    this.#actor.send({ type: 'whole.differed' });
  }

  async #refuted(): Promise<void> {
    await this.content.discard();
    this.#fail(
      new ShoalError('ERR_DIGEST_MISMATCH', `the source does not give content of ${this.content.digest}`),
    );
  }

  #complete(): void {
    const { content, stats } = this;
    stats.finished();
    void content.stored
      ?.seal()
      .catch((error: unknown) => this.#world.log.error({ err: error }, 'sealing failed'));
    this.#world.log.info(
      {
        taskId: this.taskId,
        length: content.length,
        ...stats.received(),
        durationMs: Math.round(stats.durationMs),
      },
      'content complete',
    );
    this.#world.emit('peer.completed', this.taskId, {
      taskId: this.taskId,
      hostId: this.#world.hostId,
      length: content.length ?? 0,
      bytes: stats.received(),
      durationMs: stats.durationMs,
      originReasons: stats.originReasons,
    });
    this.#scheduleSync(true);
    if (this.#listeners.size === 0) this.#startIdleTimer();
  }

  // --- ends ---

  #knownHosts(): HostAddress[] {
    const hosts = new Map(this.#membership.addressBook.map((host) => [host.hostId, host]));
    for (const [hostId, host] of this.#parents) hosts.set(hostId, host);
    hosts.delete(this.#world.hostId);
    return [...hosts.values()];
  }

  #startAdrift(): void {
    this.#world.emit('peer.adrift', this.taskId, { taskId: this.taskId, hostId: this.#world.hostId });
    if (!this.#world.alone)
      this.#world.log.info({ taskId: this.taskId }, 'no scheduler answers; going on adrift');
    this.#adrift.start(this.#patienceMs < LIMITS.adriftAfterMs);
  }

  #stopAdrift(): void {
    this.#adrift.stop();
    if (this.#world.alone || this.#world.clock.now() - this.#answeredMs > LIMITS.adriftAfterMs) return;
    this.#world.emit('peer.recovered', this.taskId, { taskId: this.taskId, hostId: this.#world.hostId });
  }

  #startIdleTimer(): void {
    this.#idleTimer?.();
    this.#idleTimer = this.#world.clock.after(LIMITS.idleActorMs, () =>
      this.#actor.send({ type: 'idle.expired' }),
    );
  }

  #fail(error: ShoalError): void {
    if (this.ended) return;
    this.#world.log.warn({ taskId: this.taskId, code: error.code, err: error }, 'download failed');
    const { taskId } = this;
    this.#world.emit('peer.failed', taskId, {
      taskId,
      hostId: this.#world.hostId,
      error: { code: error.code, message: error.message },
    });
    if (error.code === 'ERR_DIGEST_MISMATCH') void this.content.discard();
    this.#actor.send({ type: 'task.failed', error: error.toWire() });
  }

  async #release(): Promise<void> {
    this.#syncTimer?.();
    this.#idleTimer?.();
    this.#adrift.stop();
    this.#abort.abort(new ShoalError('ERR_CANCELLED', 'the peer left'));
    await this.#book.stop();
    this.content.release();
    if (!this.#world.alone) await this.#farewell();
    this.#tell();
  }

  /** Tells the scheduler that this host takes nothing more of the task; it may go unheard. */
  async #farewell(): Promise<void> {
    const request = this.#sync.request({
      running: [],
      queued: [],
      freeSlots: 0,
      transferBytesPerSec: 0,
      urgent: undefined,
      wants: false,
      mayReadOrigin: false,
      adrift: false,
      received: this.stats.received(),
      originReasons: this.stats.originReasons,
    });
    await this.#world.bus
      .request(SUBJECTS.sync, this.#tokens, request, { timeoutMs: LIMITS.syncTimeoutMs })
      .catch(() => undefined);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
