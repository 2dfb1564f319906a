import { partitionOf, type ResourceId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { LogCreated } from '../../core/log-messages.ts';
import { resourceIdOf, taskIdOfUrl } from '../../core/source.ts';

/** A task that the log tells of, with what its origin said of it. */
type Told = LogCreated & { readonly probed: NonNullable<LogCreated['probed']> };

/** To which task each URL pointed, as the log tells it: its origin is asked whether that is still so. */
export class LoggedUrls {
  readonly #tasks = new Map<ResourceId, Told>();

  /** Takes a task of the log, for URLs in partitions that count; where two tell of one URL, the later one is right. */
  learn(entry: LogCreated, counts: (partition: number) => boolean): void {
    const { probed, sources, taskId, atMs } = entry;
    const { etag, length } = probed ?? {};
    if (probed === undefined || etag === undefined || length === undefined) return;
    for (const { url, credentials } of sources) {
      // What one client's credentials open is asked for by its own host; a digest is no version of a URL.
      if (credentials || taskId !== taskIdOfUrl(url, { etag, length })) continue;
      const resourceId = resourceIdOf(url);
      if (!counts(partitionOf(resourceId)) || (this.#tasks.get(resourceId)?.atMs ?? 0) > atMs) continue;
      this.#tasks.delete(resourceId);
      const [oldest] = this.#tasks.size >= LIMITS.resources ? this.#tasks.keys() : [];
      if (oldest !== undefined) this.#tasks.delete(oldest);
      this.#tasks.set(resourceId, { ...entry, probed });
    }
  }

  get(resourceId: ResourceId): Told | undefined {
    return this.#tasks.get(resourceId);
  }

  /** Others own the partitions. */
  forget(partitions: ReadonlySet<number>): void {
    for (const id of this.#tasks.keys()) if (partitions.has(partitionOf(id))) this.#tasks.delete(id);
  }
}
