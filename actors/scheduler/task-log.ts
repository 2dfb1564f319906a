import type { Delivery } from '../../core/delivery.ts';
import { type ShoalError, toShoalError } from '../../core/errors.ts';
import { type PieceHash, packHashes, unpackHashes } from '../../core/hash-page.ts';
import { type HostId, isHostId, partitionOf, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { LogCreated, LogEnded } from '../../core/log-messages.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { World } from '../world.ts';

/** All that the log has of one task: the last word of each kind. */
export interface LoggedTask {
  readonly created: LogCreated | undefined;
  /** Hashes of pieces in the log. */
  readonly hashes: number;
  readonly failed: LogEnded | undefined;
  readonly retired: LogEnded | undefined;
  readonly deliveries: ReadonlyMap<HostId, Delivery>;
}

/**
 * The durable task log. Writing it never holds anything up: it holds nothing that hosts and origins could not
 * rebuild, so a write that fails is counted and forgotten.
 */
export class TaskLog {
  readonly #world: World;
  #failing = false;

  constructor(world: World) {
    this.#world = world;
  }

  created(entry: LogCreated): void {
    this.#append(() => this.#world.bus.append(SUBJECTS.logCreated, this.#of(entry.taskId), entry));
  }

  manifest(taskId: TaskId, epoch: number, hashes: readonly PieceHash[]): void {
    const pages = Math.max(1, Math.ceil(hashes.length / LIMITS.hashesPerPage));
    for (let page = 0; page < pages; page += 1) {
      const from = page * LIMITS.hashesPerPage;
      const message = { epoch, pages, hashes: packHashes(hashes.slice(from, from + LIMITS.hashesPerPage)) };
      const tokens = { ...this.#of(taskId), page: String(page) };
      this.#append(() => this.#world.bus.append(SUBJECTS.logManifest, tokens, message));
    }
  }

  delivery(taskId: TaskId, hostId: HostId, entry: Delivery): void {
    this.#append(() => this.#world.bus.append(SUBJECTS.delivery, { ...this.#of(taskId), hostId }, entry));
  }

  failed(taskId: TaskId, entry: LogEnded): void {
    this.#append(() => this.#world.bus.append(SUBJECTS.logFailed, this.#of(taskId), entry));
  }

  retired(taskId: TaskId, entry: LogEnded): void {
    this.#append(() => this.#world.bus.append(SUBJECTS.logRetired, this.#of(taskId), entry));
  }

  /** All tasks that were ever created and are still in the log. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT */
  async readCreated(): Promise<LogCreated[]> {
    return (await this.#world.bus.readLog(SUBJECTS.logCreated, {})).map(({ message }) => message);
  }

  /** Pages of hashes of one task, without those of a longer list before. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT */
  async readManifest(taskId: TaskId): Promise<Uint8Array[]> {
    const entries = await this.#world.bus.readLog(SUBJECTS.logManifest, this.#of(taskId));
    const pages = entries.find(({ tokens }) => tokens.page === '0')?.message.pages ?? 0;
    return entries.filter(({ tokens }) => Number(tokens.page) < pages).map(({ message }) => message.hashes);
  }

  /** All of one task. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT */
  async readTask(taskId: TaskId): Promise<LoggedTask> {
    const { bus } = this.#world;
    const of = this.#of(taskId);
    const [created, failed, retired, pages, delivered] = await Promise.all([
      bus.readLog(SUBJECTS.logCreated, of),
      bus.readLog(SUBJECTS.logFailed, of),
      bus.readLog(SUBJECTS.logRetired, of),
      this.readManifest(taskId),
      bus.readLog(SUBJECTS.delivery, of),
    ]);
    const deliveries = new Map<HostId, Delivery>();
    for (const { tokens, message } of delivered) {
      if (isHostId(tokens.hostId)) deliveries.set(tokens.hostId, message);
    }
    const hashes = pages.reduce((sum, page) => sum + (unpackHashes(page)?.length ?? 0), 0);
    const last = <T>(entries: readonly { readonly message: T }[]) => entries.at(-1)?.message;
    return { created: last(created), hashes, failed: last(failed), retired: last(retired), deliveries };
  }

  #of(taskId: TaskId): { partition: string; taskId: string } {
    return { partition: String(partitionOf(taskId)), taskId };
  }

  #append(write: () => Promise<void>): void {
    write().then(
      () => {
        this.#failing = false;
      },
      (thrown: unknown) => {
        const error: ShoalError = toShoalError(thrown);
        if (!this.#failing)
          this.#world.log.warn({ code: error.code }, 'the task log cannot be written; going on without');
        this.#failing = true;
      },
    );
  }
}
