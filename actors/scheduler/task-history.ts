import type { Delivery } from '../../core/delivery.ts';
import { toShoalError } from '../../core/errors.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { Query } from '../../core/query-messages.ts';
import type { World } from '../world.ts';
import { PagedList } from './pages.ts';
import { type LoggedTask, TaskLog } from './task-log.ts';

/** How long a reading serves the pages behind the first. */
const KEPT_MS = 10_000;

/** What the log has of tasks, read when it is asked for; the deliveries of a task by the page. */
export class TaskHistories {
  readonly #world: World;
  readonly #log: TaskLog;
  #last: { readonly taskId: TaskId; readonly readMs: number; readonly read: Promise<LoggedTask> } | undefined;
  #reading = 0;

  constructor(world: World) {
    this.#world = world;
    this.#log = new TaskLog(world);
  }

  /** The answer to `op: history`; `unread` says why there is none. */
  async answer(taskId: TaskId, query: Query): Promise<unknown> {
    try {
      const logged = await this.#read(taskId, query.after === undefined);
      const { deliveries } = logged;
      const list = new PagedList<HostId, Delivery & { readonly hostId: HostId }>(
        () => deliveries.keys(),
        (hostId) => {
          const delivery = deliveries.get(hostId);
          return delivery && { hostId, ...delivery };
        },
      );
      const { rows, next } = list.page(query, this.#world.clock.now());
      return { history: historyOf(logged), deliveries: rows, next };
    } catch (error) {
      return { unread: toShoalError(error).code, deliveries: [] };
    }
  }

  /** One reading at a time: whoever asks meanwhile for the same task shares it. */
  #read(taskId: TaskId, isFirst: boolean): Promise<LoggedTask> {
    const nowMs = this.#world.clock.now();
    const last = this.#last;
    const isShared = last?.taskId === taskId && (!isFirst || this.#reading > 0);
    if (isShared && nowMs - last.readMs < KEPT_MS) return last.read;
    this.#reading += 1;
    const read = this.#log.readTask(taskId).finally(() => {
      this.#reading -= 1;
    });
    this.#last = { taskId, readMs: nowMs, read };
    return read;
  }
}

function historyOf({ created, hashes, failed, retired }: LoggedTask) {
  return {
    created: created && {
      atMs: created.atMs,
      epoch: created.epoch,
      length: created.length,
      pieceLength: created.pieceLength,
      sources: created.sources.map(({ url }) => url),
    },
    hashes,
    failed: failed && { atMs: failed.atMs, error: failed.error },
    retired: retired && { atMs: retired.atMs },
  };
}
