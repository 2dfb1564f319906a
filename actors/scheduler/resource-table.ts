import { type HostId, partitionOf, type ResourceId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { Resource } from '../resource.ts';

interface Entry {
  readonly resource: Resource;
  readonly askedBy: Set<HostId>;
}

/**
 * The URLs that a scheduler remembers, those asked for longest ago first. One that is forgotten is asked of its origin
 * anew, so that where there are too many the oldest makes room.
 */
export class ResourceTable {
  readonly #entries = new Map<ResourceId, Entry>();
  /** What each host asked for, the longest ago first. */
  readonly #asked = new Map<HostId, Set<ResourceId>>();

  get size(): number {
    return this.#entries.size;
  }

  /** The resource that a host asks for, begun where there is none. */
  open(resourceId: ResourceId, hostId: HostId): Resource {
    const known = this.#entries.get(resourceId);
    this.#entries.delete(resourceId);
    const [oldest] = this.#entries.size >= LIMITS.resources ? this.#entries.keys() : [];
    if (oldest !== undefined) this.#delete(oldest);
    const entry = known ?? { resource: new Resource(), askedBy: new Set() };
    this.#entries.set(resourceId, entry);
    this.#ask(resourceId, entry, hostId);
    return entry.resource;
  }

  #ask(resourceId: ResourceId, { askedBy }: Entry, hostId: HostId): void {
    const asked = this.#asked.get(hostId) ?? new Set();
    askedBy.add(hostId);
    asked.delete(resourceId);
    this.#asked.set(hostId, asked.add(resourceId));
    if (asked.size <= LIMITS.resourcesPerHost) return;
    const [oldest] = asked;
    if (oldest === undefined) return;
    if (this.#entries.get(oldest)?.askedBy.size === 1) this.#delete(oldest);
    else this.#leave(oldest, hostId);
  }

  #leave(resourceId: ResourceId, hostId: HostId): void {
    this.#entries.get(resourceId)?.askedBy.delete(hostId);
    const asked = this.#asked.get(hostId);
    if (asked?.delete(resourceId) === true && asked.size === 0) this.#asked.delete(hostId);
  }

  #delete(resourceId: ResourceId): void {
    for (const hostId of [...(this.#entries.get(resourceId)?.askedBy ?? [])]) this.#leave(resourceId, hostId);
    this.#entries.delete(resourceId);
  }

  /**
   * A host is gone: what only it asked for, and nobody answered, goes with it. What was answered counts as its own for as
   * long as nobody else asks: a host that comes and goes leaves no more behind than one that stays.
   */
  lose(hostId: HostId): void {
    for (const resourceId of [...(this.#asked.get(hostId) ?? [])]) {
      const entry = this.#entries.get(resourceId);
      entry?.resource.lose(hostId);
      if (entry?.askedBy.size !== 1) this.#leave(resourceId, hostId);
      else if (!entry.resource.isAnswered) this.#delete(resourceId);
    }
  }

  /** Forgets the URLs of partitions that are others' now. */
  forgetPartitions(partitions: ReadonlySet<number>): void {
    for (const resourceId of [...this.#entries.keys()]) {
      if (partitions.has(partitionOf(resourceId))) this.#delete(resourceId);
    }
  }

  /** Forgets those that nobody has asked for in a long time, and who asked for the others. */
  forgetIdle(nowMs: number): void {
    for (const [resourceId, { resource }] of this.#entries) {
      resource.forgetOld(nowMs);
      if (resource.isIdle(nowMs)) this.#delete(resourceId);
    }
  }
}
