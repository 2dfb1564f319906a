import type { DirectoryEntry } from './bus.ts';
import { keyConflict } from './directory-key.ts';
import { matches } from './pattern.ts';
import type { WireRecord } from './wire.ts';

/** A change of a directory; without value the key was removed. */
export interface MemoryChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

/** One bucket of a hub: keys with revisions, and whoever watches them. */
export class MemoryBucket {
  readonly #entries = new Map<string, DirectoryEntry>();
  readonly watchers = new Set<(change: MemoryChange) => void>();
  #revision = 0;

  get(key: string): DirectoryEntry | undefined {
    return this.#entries.get(key);
  }

  /** Oldest first. */
  all(): DirectoryEntry[] {
    return [...this.#entries.values()];
  }

  /** Returns the new revision. @throws ERR_BUS_CONFLICT */
  put(key: string, value: Uint8Array, revision: number): number {
    this.#expect(key, revision);
    this.#revision += 1;
    const entry = { key, value: value.slice(), revision: this.#revision };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#tell(entry);
    return this.#revision;
  }

  /** @throws ERR_BUS_CONFLICT */
  remove(key: string, revision: number): void {
    this.#expect(key, revision);
    if (!this.#entries.delete(key)) return;
    this.#revision += 1;
    this.#tell({ key, value: undefined, revision: this.#revision });
  }

  /** Removes every key. */
  wipe(): void {
    for (const { key, revision } of this.all()) this.remove(key, revision);
  }

  #expect(key: string, revision: number): void {
    if ((this.#entries.get(key)?.revision ?? 0) !== revision) throw keyConflict(key, revision);
  }

  #tell(change: MemoryChange): void {
    for (const watcher of [...this.watchers]) watcher(change);
  }
}

/** The durable part of a hub: streams that keep the last message of each subject, and buckets. */
export class MemoryStore {
  #streams = new Map<string, Map<string, Uint8Array>>();
  #buckets = new Map<string, MemoryBucket>();

  append(stream: string, subject: string, bytes: Uint8Array): void {
    const records = this.#streams.get(stream) ?? new Map<string, Uint8Array>();
    this.#streams.set(stream, records);
    records.delete(subject);
    records.set(subject, bytes.slice());
  }

  readLast(stream: string, pattern: string): WireRecord[] {
    const records = this.#streams.get(stream) ?? new Map<string, Uint8Array>();
    return [...records]
      .filter(([subject]) => matches(pattern, subject))
      .map(([subject, bytes]) => ({ subject, bytes }));
  }

  /** Forgets all, as a NATS does whose disk is lost. */
  wipe(): void {
    this.#streams.clear();
    for (const bucket of this.#buckets.values()) bucket.wipe();
  }

  bucket(name: string): MemoryBucket {
    const bucket = this.#buckets.get(name) ?? new MemoryBucket();
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
