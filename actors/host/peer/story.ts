import type { Delivery } from '../../../core/delivery.ts';
import type { ShoalError } from '../../../core/errors.ts';
import type { TaskId } from '../../../core/ids.ts';
import type { OriginReadReason } from '../../../core/origin-reasons.ts';
import type { Run } from '../../../core/run.ts';
import { type FailureReason, parentName } from '../../../core/sync-messages.ts';
import type { SlotPool } from '../slot-pool.ts';
import type { HostWorld } from '../world.ts';
import type { StarveCause } from './progress.ts';

/** Events for damaged pieces at once. */
const MOST_TOLD = 64;

/** What is told of a peer: as events, in the log and in metrics. */
export class PeerStory {
  readonly #world: HostWorld;
  readonly #of: { readonly taskId: TaskId; readonly hostId: string };

  constructor(world: HostWorld, taskId: TaskId) {
    this.#world = world;
    this.#of = { taskId, hostId: world.hostId };
  }

  joined(): void {
    this.#world.emit('peer.joined', this.#of.taskId, this.#of);
  }

  /** @param refused the scheduler that answers is not believed */
  adrift(refused: boolean): void {
    const { taskId } = this.#of;
    const { emit, log, alone } = this.#world;
    emit('peer.adrift', taskId, { ...this.#of, why: refused ? 'refused-epoch' : 'silent' });
    if (alone) return;
    const why = refused ? 'the scheduler’s epoch is refused' : 'no scheduler answers';
    log.info({ taskId }, `${why}; going on adrift`);
  }

  /** @param parents those that were to give pieces */
  starved(why: StarveCause, parents: readonly string[]): void {
    const { taskId } = this.#of;
    const { emit, log, metrics } = this.#world;
    metrics.starved(why);
    emit('peer.starved', taskId, { ...this.#of, why, parents: parents.slice(0, MOST_TOLD) });
    const about = why === 'unreachable' ? 'hosts that are to give pieces are out of reach' : 'no piece comes';
    log.warn(
      { taskId, why, parents: parents.slice(0, 4) },
      `${about}; going to the origin beside the leases`,
    );
  }

  fed(): void {
    const { taskId } = this.#of;
    this.#world.emit('peer.fed', taskId, this.#of);
    this.#world.log.info({ taskId }, 'what is leased comes again');
  }

  recovered(): void {
    this.#world.emit('peer.recovered', this.#of.taskId, this.#of);
  }

  unanswered(error: ShoalError): void {
    this.#world.log.debug({ taskId: this.#of.taskId, code: error.code }, 'sync not answered');
  }

  slots(pool: SlotPool): void {
    this.#world.metrics.slots('down', pool.used, pool.total);
  }

  /** @param reason why it was read from the origin; absent where a host gave it */
  pieceCame(piece: number, bytes: number, from: Run['from'], reason: OriginReadReason | undefined): void {
    const { emit, metrics } = this.#world;
    if (reason !== undefined) metrics.originRead(reason, bytes);
    metrics.received(from === 'origin' ? 'origin' : 'peer', bytes);
    emit('piece.verified', this.#of.taskId, { ...this.#of, parent: parentName(from), piece });
  }

  transferFailed(run: Run, reason: FailureReason, error: ShoalError): void {
    const { emit, log, metrics } = this.#world;
    const { taskId } = this.#of;
    const parent = parentName(run.from);
    metrics.pieceFailed(reason);
    log.debug({ taskId, piece: run.first, parent, reason, err: error }, 'transfer failed');
    emit('piece.failed', taskId, { ...this.#of, parent, piece: run.first, reason });
    if (reason !== 'corrupt' || run.from === 'origin') return;
    const piece = typeof error.details['piece'] === 'number' ? error.details['piece'] : run.first;
    emit('piece.rejected', taskId, { ...this.#of, parent, piece });
    log.warn({ taskId, parent, piece }, 'a parent served wrong bytes; they were not kept');
  }

  /** Its bytes changed on this host's disk after they were verified. */
  damaged(pieces: readonly number[]): void {
    const { emit, log } = this.#world;
    const { taskId } = this.#of;
    for (const piece of pieces.slice(0, MOST_TOLD)) emit('piece.damaged', taskId, { ...this.#of, piece });
    const [piece] = pieces;
    log.warn(
      { taskId, piece, pieces: pieces.length },
      'pieces on disk are not what was recorded; fetching them anew',
    );
  }

  misled(pieces: number): void {
    const { taskId } = this.#of;
    this.#world.log.warn(
      { taskId, pieces },
      'the whole is wrong: what other hosts said of it is fetched anew',
    );
  }

  contradicted(): void {
    this.#world.log.warn({ taskId: this.#of.taskId }, 'the whole contradicts the digest');
  }

  samplesFailed(error: unknown): void {
    this.#world.log.warn({ taskId: this.#of.taskId, err: error }, 'the source could not be read again');
  }

  notDiscarded(error: unknown): void {
    this.#world.log.error({ taskId: this.#of.taskId, err: error }, 'wrong content was not removed');
  }

  completed(delivery: Delivery): void {
    const { emit, log, metrics } = this.#world;
    const { taskId } = this.#of;
    const { length = 0, bytes, durationMs, originReasons, time, linkBytesPerSec, sources } = delivery;
    if (time) metrics.timeSpent(time);
    log.info({ taskId, length, ...bytes, durationMs: Math.round(durationMs), time }, 'content complete');
    const from = { bytes, originReasons, sources };
    emit('peer.completed', taskId, { ...this.#of, length, ...from, durationMs, time, linkBytesPerSec });
  }

  failed(error: ShoalError): void {
    const { emit, log } = this.#world;
    const { taskId } = this.#of;
    const { code, message } = error;
    log.warn({ taskId, code, err: error }, 'download failed');
    emit('peer.failed', taskId, { ...this.#of, error: { code, message } });
  }

  crashed(error: unknown): void {
    this.#world.log.error({ taskId: this.#of.taskId, err: error }, 'peer actor crashed');
  }
}
