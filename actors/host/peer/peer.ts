import { type Actor, createActor, waitFor } from 'xstate';
import type { Delivery } from '../../../core/delivery.ts';
import { type ShoalError, toShoalError } from '../../../core/errors.ts';
import type { TaskId } from '../../../core/ids.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason, LeaseSet } from '../../../core/sync-messages.ts';
import { type PeerEvent, type PeerState, peerMachine, peerState } from '../../../machines/host/peer.ts';
import { xstateClock } from '../../xstate-clock.ts';
import type { Membership } from '../membership.ts';
import type { HostWorld } from '../world.ts';
import type { PeerChart, PeerNews } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { PeerInput } from './input.ts';
import { createParts, type PeerParts } from './parts.ts';
import type { PeerShare } from './share.ts';
import type { PeerStats } from './stats.ts';
import { PeerWork } from './work.ts';

/** One host's part in one task: syncs with the scheduler, runs the leases, proves the whole. */
export class PeerActor implements PeerChart {
  readonly taskId: TaskId;
  readonly content: PeerContent;
  readonly stats: PeerStats;
  readonly #parts: PeerParts;
  readonly #work: PeerWork;
  readonly #actor: Actor<typeof peerMachine>;

  constructor(world: HostWorld, membership: Membership, share: PeerShare, input: PeerInput) {
    this.taskId = input.taskId;
    this.#parts = createParts(this, world, membership, share, input);
    this.content = this.#parts.content;
    this.stats = this.#parts.stats;
    this.#work = new PeerWork(this.#parts);
    this.#actor = createActor(peerMachine, { input: this.#work, clock: xstateClock(world.clock) });
    let told = this.#actor.getSnapshot();
    this.#actor.subscribe({
      next: (snapshot) => {
        // Most answers of the scheduler change nothing.
        if (snapshot !== told) this.#tell();
        told = snapshot;
      },
      error: (error) => this.#crashed(error),
    });
  }

  /** Takes up what is on disk, and begins. @throws ERR_STORE_FULL, ERR_STORE_IO */
  async start(): Promise<void> {
    this.#actor.start();
    const { context } = await waitFor(this.#actor, (snapshot) => !snapshot.matches('opening'));
    if (context.error !== undefined) throw context.error;
  }

  get state(): PeerState {
    return peerState(this.#actor.getSnapshot());
  }

  get error(): ShoalError | undefined {
    const { status, error, context } = this.#actor.getSnapshot();
    return status === 'error' ? toShoalError(error) : context.error;
  }

  get ended(): boolean {
    const { state } = this;
    return state === 'failed' || state === 'left';
  }

  get contradicted(): boolean {
    return this.#actor.getSnapshot().matches({ verifying: { contradicted: 'waiting' } });
  }

  get parentCount(): number {
    return this.stats.parents;
  }

  /** How the content came here, so far or in the end. */
  get delivery(): Delivery {
    return this.stats.delivery(this.content, this.error);
  }

  /** Calls back whenever anything changed; returns how to stop that. */
  listen(client: () => void): () => void {
    const { clients } = this.#parts;
    clients.add(client);
    if (clients.size === 1) this.#send({ type: 'client.came' });
    return () => {
      if (clients.delete(client) && clients.size === 0) this.#send({ type: 'clients.gone' });
    };
  }

  #tell(): void {
    for (const client of this.#parts.clients) client();
  }

  /** Another client wants the same content, perhaps from another source or as somebody else. */
  addInput(input: PeerInput): void {
    for (const source of input.sources) this.content.addSource(source);
    if (this.#parts.origin.gain(input)) this.#send({ type: 'origin.gained' });
    input.opened?.body?.discard();
  }

  /** A reader has nothing buffered and needs the byte at this offset next. */
  starve(offset: number): void {
    const { needs, sync } = this.#parts;
    if (!needs.starve(offset) || needs.urgent === undefined) return;
    this.#more();
    sync.schedule('soon');
  }

  /** Something on disk is not what was recorded: all that is so is fetched anew, and given to nobody until then. */
  async damaged(): Promise<void> {
    await this.#work.dropDamaged();
  }

  /** A set that the scheduler pushed. */
  push(set: LeaseSet): void {
    this.#send({ type: 'set.pushed', set });
  }

  /** Another scheduler owns the task now. */
  schedulerChanged(): void {
    if (!this.ended) this.#parts.sync.renew();
  }

  #send(event: PeerEvent): void {
    // Clients and the host may hold one that has ended.
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send(event);
  }

  leave(): void {
    this.#send({ type: 'leave' });
  }

  /** Leaves, and resolves when nothing runs any more and the scheduler has been told. */
  stop(): Promise<void> {
    this.leave();
    return new Promise((resolve) => {
      this.#actor.subscribe({ complete: resolve, error: () => resolve() });
    });
  }

  /** What comes with every piece goes past the chart, which has nothing to decide there. */
  report(news: PeerNews): void {
    if (news.type === 'sync.wanted') this.#parts.sync.schedule('soon');
    else if (news.type === 'piece.stored') this.#stored(news.run);
    else if (news.type === 'pieces.suspected') this.#suspected(news.pieces);
    else if (news.type === 'transfer.failed') this.#transferFailed(news.run, news.reason, news.error);
    else if (news.type === 'transfer.ended') this.#transferEnded(news.run, news.failed);
    else this.#send(news);
  }

  #stored(run: Run): void {
    const { sync, needs, whole, adrift } = this.#parts;
    adrift.stored(run);
    sync.schedule(needs.afterPiece());
    whole.advance();
    this.#tell();
    this.#checkComplete();
  }

  #suspected(pieces: readonly number[]): void {
    this.#work.recheckSuspects(pieces).catch((error: unknown) => {
      this.#send({ type: 'task.failed', error: toShoalError(error) });
    });
  }

  #transferFailed(run: Run, reason: FailureReason, error: ShoalError): void {
    const isChanged = run.from === 'origin' && error.code === 'ERR_TASK_CHANGED';
    if (reason === 'store' || isChanged) this.#send({ type: 'task.failed', error });
    this.#parts.adrift.failed(run, reason);
    this.#parts.progress.failed(run, reason);
  }

  #transferEnded(run: Run, failed: boolean): void {
    const { sync, transfers, adrift } = this.#parts;
    adrift.ended(run);
    if (this.#checkComplete()) return;
    if (!failed) this.#more();
    sync.schedule(failed || transfers.book.queuedCount === 0 ? 'soon' : 'later');
  }

  /** Begins at once what can be begun without a lease. */
  #more(): void {
    if (this.state === 'adrift' || this.state === 'starved') this.#parts.adrift.more();
  }

  #checkComplete(): boolean {
    if (!this.content.complete) return false;
    this.#send({ type: 'pieces.completed' });
    return true;
  }

  #crashed(error: unknown): void {
    this.#parts.story.crashed(error);
    void this.#work.release(undefined);
    this.#tell();
  }
}
