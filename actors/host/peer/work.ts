import type { Delivery } from '../../../core/delivery.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Run } from '../../../core/run.ts';
import type { LeaseSet } from '../../../core/sync-messages.ts';
import type { PeerEffects } from '../../../machines/host/peer.ts';
import type { ProbeAnswer } from '../../../origins/origin.ts';
import type { PeerParts } from './parts.ts';
import { readSamples } from './whole-check.ts';

/** The origin's first bytes, as a run: nothing of it was leased. */
const PROBE: Run = { first: 0, count: 0, from: 'origin', hedge: false };

/** What the chart of a peer does with the peer's parts. */
export class PeerWork implements PeerEffects {
  readonly #parts: PeerParts;
  #rechecking: Promise<number> | undefined;

  constructor(parts: PeerParts) {
    this.#parts = parts;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { content, stats, story, transfers, opened } = this.#parts;
    await content.reopen();
    if (signal.aborted) return content.release();
    stats.found(content.storedBytes);
    story.joined();
    if (opened) await transfers.opened(opened.probed, opened.body);
    this.#checkSource();
  }

  /** A source that this host may not read is one that failed. */
  #checkSource(): void {
    const { origin, told, world } = this.#parts;
    const error = origin.refusal;
    if (error === undefined) return;
    const reason = 'origin-status';
    origin.failed(reason, error, world.clock.now());
    told.failed({ first: 0, count: 0, parent: 'origin', reason, error: error.toWire() });
  }

  isComplete(): boolean {
    return this.#parts.content.complete;
  }

  isAlone(): boolean {
    return this.#parts.world.alone;
  }

  isHeard(): boolean {
    return this.#parts.sync.isHeard;
  }

  isAttended(): boolean {
    return this.#parts.clients.size > 0;
  }

  mayProbe(): boolean {
    const { content, origin } = this.#parts;
    return content.stored === undefined && origin.request() !== undefined;
  }

  sync(): void {
    this.#parts.sync.schedule('soon');
  }

  tellHashes(): void {
    this.#parts.sets.tellHashes();
  }

  take(set: LeaseSet): void {
    const { sets, chart } = this.#parts;
    sets
      .push(set)
      .catch((error: unknown) => chart.report({ type: 'task.failed', error: toShoalError(error) }));
  }

  goAdrift(): () => void {
    const { story, adrift, sync, sets } = this.#parts;
    story.adrift(sets.refused !== undefined);
    adrift.start(sync.isFirst ? 'first' : 'lost');
    return () => adrift.stop();
  }

  watchProgress(): () => void {
    const { progress } = this.#parts;
    progress.start();
    return () => progress.stop();
  }

  goStarved(): () => void {
    const { story, adrift, progress } = this.#parts;
    story.starved(progress.cause, progress.failing);
    adrift.start('starved');
    return () => adrift.stop();
  }

  tellFed(): void {
    this.#parts.story.fed();
  }

  tellRecovered(): void {
    const { story, progress } = this.#parts;
    progress.restart();
    story.recovered();
  }

  async probe(signal: AbortSignal): Promise<void> {
    const { transfers, adrift, content, chart } = this.#parts;
    const answer = await this.#reading(() => this.#askOrigin(signal));
    if (answer?.kind === 'content') await transfers.opened(answer.probed, answer.body);
    // What has no bytes has all its pieces as soon as that is known, and none is to come.
    if (content.complete) return chart.report({ type: 'pieces.completed' });
    if (chart.state === 'adrift' || chart.state === 'starved') adrift.more();
  }

  /** Counts the time of a read of the origin that no lease asked for. */
  async #reading<T>(read: () => Promise<T>): Promise<T> {
    const { stats } = this.#parts;
    const transfer = {};
    stats.transferBegan(transfer, 'origin');
    try {
      return await read();
    } finally {
      stats.transferEnded(transfer, 'origin', 0, 0);
    }
  }

  /** What the origin answers; undefined where it failed, which the scheduler is to hear. */
  async #askOrigin(signal: AbortSignal): Promise<ProbeAnswer | undefined> {
    const { world, origin, transfers } = this.#parts;
    const begunMs = world.clock.now();
    try {
      const request = { ...origin.demand(), prefixBytes: LIMITS.resolveBytes };
      return await world.origin.probe(request, signal);
    } catch (thrown) {
      if (signal.aborted) return undefined;
      const error = toShoalError(thrown);
      transfers.failed(PROBE, error.retryable ? 'origin-unavailable' : 'origin-status', error, begunMs);
      return undefined;
    }
  }

  rehash(): void {
    const { stats, whole } = this.#parts;
    stats.resumed();
    whole.reset();
  }

  /** A whole that is wrong may be so on this disk alone: that is nobody's fault, and is mended first. */
  async compare(): Promise<boolean> {
    const { stats, whole } = this.#parts;
    stats.busy('cpu');
    const agrees = await whole
      .agrees()
      .catch((error: unknown) => {
        if (toShoalError(error).code === 'ERR_STORE_CORRUPT') return false;
        throw error;
      })
      .finally(() => stats.busy(undefined));
    // What was dropped is fetched anew, and then compared anew.
    return agrees || (await this.dropDamaged()) > 0 || (await this.#dropSupposed());
  }

  /** Pieces that rest on the bare word of some host, taken without a scheduler. */
  async #dropSupposed(): Promise<boolean> {
    const { content, told, story, chart } = this.#parts;
    const supposed = content.refuseSupposed();
    if (supposed.length === 0 || chart.ended) return false;
    story.misled(supposed.length);
    const dropped = content.drop(supposed).catch(() => content.discard());
    told.startOver();
    chart.report({ type: 'content.withdrawn' });
    await dropped;
    return true;
  }

  /** Drops every piece that is not on disk as it was recorded; returns how many. @throws ERR_STORE_IO */
  dropDamaged(): Promise<number> {
    this.#rechecking ??= this.#recheck().finally(() => {
      this.#rechecking = undefined;
    });
    return this.#rechecking;
  }

  /** Children got these pieces wrong from here: what is so on disk is dropped, and the scheduler hears of it. */
  async recheckSuspects(pieces: readonly number[]): Promise<void> {
    const { told, chart } = this.#parts;
    const asked = told.suspects(pieces);
    if (asked.length === 0) return;
    await this.#recheck(asked);
    // What was found right is held as before, which the scheduler doubts.
    told.startOver();
    told.rechecked(asked);
    chart.report({ type: 'sync.wanted' });
  }

  async #recheck(pieces?: readonly number[]): Promise<number> {
    const { content, told, story, chart } = this.#parts;
    const wrong = (await content.stored?.recheck(pieces)) ?? [];
    if (wrong.length === 0 || chart.ended) return 0;
    story.damaged(wrong);
    // Where not even that can be noted, its files are gone: all of it is fetched anew.
    const dropped = content.drop(wrong).catch(() => content.discard());
    told.startOver();
    chart.report({ type: 'content.withdrawn' });
    await dropped;
    return wrong.length;
  }

  tellContradiction(): void {
    this.#parts.story.contradicted();
  }

  async sample(samples: readonly number[], signal: AbortSignal): Promise<void> {
    const { world, origin, content, told } = this.#parts;
    const request = origin.request();
    if (request === undefined) return;
    const { agreed, differed } = await this.#reading(() =>
      readSamples(world.origin, request, content, samples, signal),
    );
    told.mismatched(agreed, differed);
  }

  tellUnread(error: unknown): void {
    this.#parts.story.samplesFailed(error);
  }

  refutal(): ShoalError {
    const { digest } = this.#parts.content;
    return new ShoalError('ERR_DIGEST_MISMATCH', `the source does not give content of ${digest}`);
  }

  async seal(): Promise<void> {
    const { content, stats } = this.#parts;
    stats.busy('disk');
    await content.stored?.seal();
  }

  complete(): void {
    const { stats, story, sync } = this.#parts;
    stats.finished('complete');
    story.completed(this.#over());
    sync.schedule('now');
  }

  /** How the content came, told and remembered; what was here all along does not take the place of what was fetched. */
  #over(error?: ShoalError): Delivery {
    const { content, stats, told, deliveries } = this.#parts;
    const { taskId } = content;
    const delivery = stats.delivery(content, error);
    const { origin, peers } = delivery.bytes;
    if (origin + peers > 0 || deliveries.get(taskId) === undefined) deliveries.set(taskId, delivery);
    told.ended(delivery);
    return delivery;
  }

  tellFailed(error: ShoalError): void {
    this.#parts.story.failed(error);
  }

  async release(error: ShoalError | undefined): Promise<void> {
    const { sync, abort, transfers, content, stats, story, origin } = this.#parts;
    if (!stats.hasEnded) {
      stats.finished(error === undefined ? 'left' : 'failed');
      this.#over(error);
    }
    sync.stop();
    abort.abort(new ShoalError('ERR_CANCELLED', 'the peer left'));
    // Begun before anybody hears of the failure: whoever tries again finds nothing here.
    const discarded =
      error?.code === 'ERR_DIGEST_MISMATCH'
        ? content.discard().catch((reason: unknown) => story.notDiscarded(reason))
        : undefined;
    await transfers.book.stop();
    await discarded;
    content.release();
    const { originReasons } = stats;
    await sync.farewell({ received: stats.received(), originReasons, home: origin.home });
  }
}
