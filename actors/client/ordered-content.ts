import { ShoalError } from '../../core/errors.ts';
import type { FetchItem } from '../../core/fetch-messages.ts';
import {
  type Digest,
  digestOfTask,
  isTaskId,
  looksLikeDigest,
  parseDigest,
  type TaskId,
} from '../../core/ids.ts';
import type { Store } from '../../storage/store.ts';
import type { Downloads } from './downloads.ts';

/** What can be done with the content that an order names. */
export interface OrderedContent extends Pick<Downloads, 'get'>, Pick<Store, 'keep' | 'release'> {
  /** Gives up all that the item names here; returns the bytes that were freed. @throws ERR_TASK_PINNED where one is kept */
  evict(item: FetchItem): Promise<number>;
  /** Spares a task from eviction until the release is called. */
  spare(taskId: TaskId): Promise<() => void>;
}

/** Content of a host, for those who order it. @param giveUp removes a task from the cache, unless it is kept */
export function orderedContent(
  downloads: Pick<Downloads, 'get'>,
  store: Store,
  giveUp: (taskId: TaskId) => Promise<void>,
): OrderedContent {
  return {
    get: (request, onProgress, signal) => downloads.get(request, onProgress, signal),
    keep: (name, taskIds, untilMs) => store.keep(name, taskIds, untilMs),
    release: (name) => store.release(name),
    async spare(taskId) {
      return (await store.look(taskId))?.pin() ?? (() => undefined);
    },
    async evict(item) {
      let freed = 0;
      const named = await tasksOf(store, item);
      for (const taskId of named) {
        const { storedBytes = 0 } = store.row(taskId) ?? {};
        if (store.isKept(taskId)) continue;
        await giveUp(taskId);
        freed += storedBytes;
      }
      const kept = named.find((taskId) => store.isKept(taskId));
      if (kept === undefined) return freed;
      throw new ShoalError('ERR_TASK_PINNED', `${kept} is kept here by a pin`);
    },
  };
}

/** The tasks here that an item names: by id, by digest wherever it was read, by URL. */
async function tasksOf(store: Store, { resource, digest }: FetchItem): Promise<TaskId[]> {
  if (isTaskId(resource)) return store.row(resource) === undefined ? [] : [resource];
  const wanted = digest ?? (looksLikeDigest(resource) ? resource : undefined);
  const taskIds = [...store.rows()].map(({ taskId }) => taskId);
  if (wanted !== undefined) {
    const named: Digest = parseDigest(wanted);
    return taskIds.filter((taskId) => digestOfTask(taskId) === named);
  }
  const found: TaskId[] = [];
  for (const taskId of taskIds) {
    if (digestOfTask(taskId) !== undefined) continue;
    const stored = await store.look(taskId);
    if (stored?.record.sources.some(({ url }) => url === resource) === true) found.push(taskId);
  }
  return found;
}
