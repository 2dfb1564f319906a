import type { Actor } from 'xstate';
import type { Cancel } from '../../../core/clock.ts';
import { errorFromWire, ShoalError, toShoalError } from '../../../core/errors.ts';
import type { TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Probed } from '../../../core/probed.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason, LeaseSet } from '../../../core/sync-messages.ts';
import type { peerMachine } from '../../../machines/host/peer.ts';
import type { OpenBody } from '../../../origins/origin.ts';
import type { Membership } from '../membership.ts';
import type { HostWorld } from '../world.ts';
import { Adrift } from './adrift.ts';
import { PeerContent } from './content.ts';
import { LeaseSets } from './lease-sets.ts';
import { createPeerMachine } from './machine.ts';
import { PeerNeeds } from './needs.ts';
import { type OriginAccess, PeerOrigin } from './origin.ts';
import type { PeerShare } from './share.ts';
import { PeerStats } from './stats.ts';
import { PeerStory } from './story.ts';
import { PeerSync, type SyncWhen } from './sync.ts';
import { SyncState } from './sync-state.ts';
import { PeerTransfers } from './transfers.ts';
import { PeerWhole } from './whole.ts';

/** The origin's first bytes, as a run: nothing of it was leased. */
const PROBE: Run = { first: 0, count: 0, from: 'origin', hedge: false };

/** What a client's request brings to a peer: where the content is, and as whom to ask there. */
export interface PeerInput extends OriginAccess {
  readonly taskId: TaskId;
  /** The origin was asked to resolve the URL, and its body is open. */
  readonly opened?: { readonly probed: Probed; readonly body: OpenBody | undefined };
}

/** One host's part in one task: syncs with the scheduler, runs the leases, proves the whole. */
export class PeerActor {
  readonly taskId: TaskId;
  readonly content: PeerContent;
  readonly stats: PeerStats;
  readonly #world: HostWorld;
  readonly #told: SyncState;
  readonly #story: PeerStory;
  readonly #origin: PeerOrigin;
  readonly #transfers: PeerTransfers;
  readonly #whole: PeerWhole;
  readonly #sets: LeaseSets;
  readonly #needs: PeerNeeds;
  readonly #sync: PeerSync;
  readonly #adrift: Adrift;
  readonly #actor: Actor<typeof peerMachine>;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #opened: PeerInput['opened'];
  #idleTimer: Cancel | undefined;
  #error: ShoalError | undefined;
  #released: Promise<void> | undefined;

  constructor(world: HostWorld, membership: Membership, share: PeerShare, input: PeerInput) {
    const { taskId } = input;
    const { pool, pace } = share;
    this.taskId = taskId;
    this.#world = world;
    this.#opened = input.opened;
    const life = Buffer.from(world.random.bytes(8)).toString('hex');
    const content = new PeerContent(world.store, taskId, input.sources, life);
    const stats = new PeerStats(world.clock, share.received);
    const told = new SyncState(world.incarnation, content, share.nextSeq);
    const story = new PeerStory(world, taskId);
    const shared = {
      world,
      content,
      pool,
      pace,
      stats,
      story,
      sync: told,
      signal: this.#abort.signal,
      isOver: () => this.ended,
      scheduleSync: () => this.#sync.schedule('soon'),
      fail: (error: ShoalError) => this.#fail(error),
    };
    const origin = new PeerOrigin(input, {
      ...shared,
      onOpened: (probed, body) => this.#transfers.opened(probed, body),
      onFailed: (...failure) => this.#transfers.failed(PROBE, ...failure),
    });
    this.#transfers = new PeerTransfers({
      ...shared,
      origin,
      isAdrift: () => this.state === 'adrift',
      onStored: () => this.#stored(),
      onFailed: (run, reason, error) => this.#transferFailed(run, reason, error),
      onEnded: (failed) => this.#transferEnded(failed),
    });
    const { book } = this.#transfers;
    this.#whole = new PeerWhole({
      ...shared,
      origin,
      isHeard: () => this.#sync.isHeard,
      onAgreed: () => this.#actor.send({ type: 'whole.agreed' }),
    });
    this.#sets = new LeaseSets({
      ...shared,
      membership,
      book,
      whole: this.#whole,
      probe: () => void this.#probe(),
      onTakenBack: () => this.#actor.send({ type: 'whole.differed' }),
      isDone: () => this.#checkComplete() || this.ended,
    });
    const needs = new PeerNeeds({
      ...shared,
      origin,
      transfers: this.#transfers,
      sets: this.#sets,
      state: () => this.state,
    });
    this.#sync = new PeerSync({
      ...shared,
      taskId,
      facts: (intervalMs) => needs.facts(intervalMs),
      onAnswered: (set) => this.#answered(set),
      onUnanswered: (error) => this.#unanswered(error),
      onSilent: () => this.#silent(),
      next: () => this.#nextSync(),
    });
    this.#adrift = new Adrift({
      ...shared,
      book,
      hosts: () => this.#sets.knownHosts(),
      mayReadOrigin: () => origin.request() !== undefined,
      probe: () => this.#probe(),
      originError: () => origin.error,
      urgent: () => needs.urgent,
    });
    this.content = content;
    this.stats = stats;
    this.#told = told;
    this.#needs = needs;
    this.#story = story;
    this.#origin = origin;
    this.#actor = this.#createActor();
  }

  #createActor(): Actor<typeof peerMachine> {
    const actor = createPeerMachine({
      startAdrift: () => this.#startAdrift(),
      stopAdrift: () => this.#stopAdrift(),
      compareWhole: () => void this.#whole.compare(),
      complete: () => this.#complete(),
      giveUp: (error) => {
        this.#error = error ? errorFromWire(error) : undefined;
      },
      release: () => {
        this.#released = this.#release();
      },
    });
    actor.subscribe({
      next: () => this.#tell(),
      error: (error) => {
        this.#error = toShoalError(error);
        this.#story.crashed(error);
        this.#released = this.#release();
        this.#tell();
      },
    });
    return actor;
  }

  /** Takes up what is on disk, and begins. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async start(): Promise<void> {
    await this.content.reopen();
    this.stats.found(this.content.storedBytes);
    this.#actor.start();
    this.#story.joined();
    if (this.#opened) await this.#transfers.opened(this.#opened.probed, this.#opened.body);
    this.#checkSource();
    if (this.#checkComplete()) return this.#sets.tellHashes();
    if (this.#world.alone) this.#actor.send({ type: 'sync.silent' });
    else this.#sync.schedule('soon');
  }

  #checkSource(): void {
    const error = this.#origin.refusal;
    if (error === undefined) return;
    const reason = 'origin-status';
    this.#origin.failed(reason, error, this.#world.clock.now());
    this.#told.failed({ first: 0, count: 0, parent: 'origin', reason, error: error.toWire() });
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

  /** The one URL that all bytes came from so far; undefined where hosts, the disk or several URLs gave any. */
  get onlySource(): string | undefined {
    const { peers, local } = this.stats.received();
    return peers === 0 && local === 0 ? this.#origin.onlySource : undefined;
  }

  /** Calls back whenever anything changed; returns how to stop that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#idleTimer?.();
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      if (this.state === 'serving') this.#startIdleTimer();
      else if (!this.ended) this.leave();
    };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Another client wants the same content, perhaps from another source or as somebody else. */
  addInput(input: PeerInput): void {
    for (const source of input.sources) this.content.addSource(source);
    if (this.#origin.gain(input)) this.#sync.schedule('soon');
    input.opened?.body?.discard();
  }

  /** A reader has nothing buffered and needs the byte at this offset next. */
  starve(offset: number): void {
    if (!this.#needs.starve(offset) || this.#needs.urgent === undefined) return;
    this.#adrift.more();
    this.#sync.schedule('soon');
  }

  /** A set that the scheduler pushed. */
  push(set: LeaseSet): void {
    if (!this.ended) void this.#sets.push(set).catch((error: unknown) => this.#fail(toShoalError(error)));
  }

  /** Another scheduler owns the task now. */
  schedulerChanged(): void {
    if (!this.ended) this.#sync.renew();
  }

  leave(): void {
    this.#actor.send({ type: 'leave' });
  }

  /** Leaves, and resolves when nothing runs any more and the scheduler has been told. */
  async stop(): Promise<void> {
    this.leave();
    await this.#released;
  }

  // --- syncs ---

  #nextSync(): SyncWhen | 'none' {
    if (!this.ended) this.#whole.askAgain();
    return this.#needs.next();
  }

  #answered(set: LeaseSet): Promise<void> {
    // Most answers change no state.
    if (this.state === 'joining' || this.state === 'adrift') this.#actor.send({ type: 'sync.answered' });
    return this.#sets.take(set);
  }

  #unanswered(error: ShoalError): void {
    this.#story.unanswered(error);
    if (error.code === 'ERR_STORE_FULL' || error.code === 'ERR_STORE_IO') this.#fail(error);
  }

  #silent(): void {
    if (this.#needs.wants) this.#actor.send({ type: 'sync.silent' });
    else if (this.#whole.contradicted) void this.#whole.refute();
  }

  async #probe(): Promise<void> {
    if (await this.#origin.probe()) this.#sync.schedule('soon');
  }

  // --- transfers ---

  #stored(): void {
    this.#sync.schedule(this.#needs.afterPiece());
    this.#whole.advance();
    this.#tell();
    this.#checkComplete();
  }

  #transferFailed(run: Run, reason: FailureReason, error: ShoalError): void {
    if (reason === 'store') return this.#fail(error);
    if (run.from === 'origin' && error.code === 'ERR_TASK_CHANGED') this.#fail(error);
    this.#adrift.failed(run, reason);
  }

  #transferEnded(failed: boolean): void {
    if (this.#checkComplete()) return;
    if (!failed) this.#adrift.more();
    this.#sync.schedule(failed || this.#transfers.book.queuedCount === 0 ? 'soon' : 'later');
  }

  // --- adrift ---

  #startAdrift(): void {
    this.#story.adrift();
    this.#adrift.start(this.#sync.isFirst);
  }

  #stopAdrift(): void {
    this.#adrift.stop();
    if (this.#sync.isHeard) this.#story.recovered();
  }

  // --- ends ---

  #checkComplete(): boolean {
    if (!this.content.complete) return false;
    if (this.#needs.wants) this.#actor.send({ type: 'pieces.completed' });
    return true;
  }

  #complete(): void {
    this.stats.finished();
    this.#story.completed(this.content, this.stats);
    this.#sync.schedule('now');
    if (this.#listeners.size === 0) this.#startIdleTimer();
  }

  #startIdleTimer(): void {
    this.#idleTimer?.();
    this.#idleTimer = this.#world.clock.after(LIMITS.idleActorMs, () =>
      this.#actor.send({ type: 'idle.expired' }),
    );
  }

  #fail(error: ShoalError): void {
    if (this.ended) return;
    this.#story.failed(error);
    if (error.code === 'ERR_DIGEST_MISMATCH') void this.content.discard();
    this.#actor.send({ type: 'task.failed', error: error.toWire() });
  }

  async #release(): Promise<void> {
    this.#sync.stop();
    this.#idleTimer?.();
    this.#adrift.stop();
    this.#abort.abort(new ShoalError('ERR_CANCELLED', 'the peer left'));
    await this.#transfers.book.stop();
    this.content.release();
    const { stats } = this;
    await this.#sync.farewell({ received: stats.received(), originReasons: stats.originReasons });
    this.#tell();
  }
}
