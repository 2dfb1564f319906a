import type { Cancel } from '../../../core/clock.ts';
import type { Delivery } from '../../../core/delivery.ts';
import type { WireError } from '../../../core/errors.ts';
import type { HostId } from '../../../core/ids.ts';
import type { Source } from '../../../core/source.ts';
import type { TaskLog } from '../task-log.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskClaim } from './claim.ts';
import type { TaskContent } from './content.ts';

/** How long hashes gather before they are written. */
const MANIFEST_MS = 1_000;

/** What is told of a task: to the log, so that another scheduler can take it up, and as events. */
export class TaskRecords {
  readonly #world: SchedulerWorld;
  readonly #log: TaskLog;
  readonly #content: TaskContent;
  readonly #claim: TaskClaim;
  #manifestTimer: Cancel | undefined;
  /** The claim, and the end of its log of hashes, as they were written last. */
  #written = { claim: 0, end: 0 };

  constructor(world: SchedulerWorld, log: TaskLog, content: TaskContent, claim: TaskClaim) {
    this.#world = world;
    this.#log = log;
    this.#content = content;
    this.#claim = claim;
  }

  created(): void {
    const { taskId, length } = this.#content;
    const { emit, epoch, clock } = this.#world;
    const sources = this.#content.sources.map(({ url }) => url);
    emit('task.created', taskId, { taskId, sources, ...(length === undefined ? {} : { length }) });
    this.#log.created({ ...this.#content.record(), epoch, atMs: clock.wall() });
  }

  /** Soon while hashes come in; at once when the last is there, since who has all says nothing more. */
  hashesCame(): void {
    const { pieces } = this.#content;
    const { claims } = this.#claim;
    if (pieces !== undefined && claims.end >= pieces && claims.proven >= pieces) return this.manifest();
    this.#manifestTimer ??= this.#world.clock.after(MANIFEST_MS, () => {
      this.#manifestTimer = undefined;
      this.manifest();
    });
  }

  manifest(): void {
    const { number: claim, claims } = this.#claim;
    const { end } = claims;
    if (end === 0 || (this.#written.claim === claim && this.#written.end === end)) return;
    if (claims.proven === 0) return;
    this.#written = { claim, end };
    this.#log.manifest(this.#content.taskId, this.#world.epoch, claims.export());
  }

  /** Hashes were taken back: the log is not to keep them, where it is left without any neither. */
  withdrawn(): void {
    if (this.#claim.claims.proven === 0) this.dropped();
    else this.manifest();
  }

  /** The claim was dropped: nothing of it is taken up again. */
  dropped(): void {
    this.#written = { claim: this.#claim.number, end: 0 };
    this.#log.manifest(this.#content.taskId, this.#world.epoch, []);
  }

  delivered(hostId: HostId, delivery: Delivery): void {
    const atMs = Math.floor(this.#world.clock.wall());
    this.#log.delivery(this.#content.taskId, hostId, { ...delivery, atMs });
  }

  banned({ url }: Source): void {
    const { taskId } = this.#content;
    this.#world.emit('source.banned', taskId, { taskId, source: url });
    this.#world.log.warn({ taskId, source: url }, 'source contradicts the digest; banned');
  }

  failed(error: WireError): void {
    const { taskId } = this.#content;
    const { emit, epoch, clock } = this.#world;
    emit('task.failed', taskId, { taskId, error: { code: error.code, message: error.message } });
    this.#log.failed(taskId, { epoch, atMs: clock.wall(), error });
  }

  ceded(): void {
    this.#manifestTimer?.();
  }

  retired(): void {
    const { taskId } = this.#content;
    const { emit, epoch, clock } = this.#world;
    this.#manifestTimer?.();
    emit('task.retired', taskId, { taskId });
    this.#log.retired(taskId, { epoch, atMs: clock.wall() });
  }
}
