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

/** One work queue of a hub: a message of each subject at most, leased to one worker at a time. */
export class MemoryQueue {
  readonly #messages = new Map<string, { readonly bytes: Uint8Array; lease: number; untilMs: number }>();
  readonly #waiting = new Set<() => void>();
  #leases = 0;

  /** False where one of this subject is here. */
  put(subject: string, bytes: Uint8Array): boolean {
    if (this.#messages.has(subject)) return false;
    this.#messages.set(subject, { bytes: bytes.slice(), lease: 0, untilMs: Number.NEGATIVE_INFINITY });
    this.#call();
    return true;
  }

  /** The first that nobody works on, or when one may be free, ms. */
  take(nowMs: number, ackMs: number): { record: WireRecord; lease: number } | { freeAtMs: number } {
    let freeAtMs = Number.POSITIVE_INFINITY;
    for (const [subject, message] of this.#messages) {
      freeAtMs = Math.min(freeAtMs, message.untilMs);
      if (message.untilMs > nowMs) continue;
      this.#leases += 1;
      message.lease = this.#leases;
      message.untilMs = nowMs + ackMs;
      return { record: { subject, bytes: message.bytes }, lease: message.lease };
    }
    return { freeAtMs };
  }

  /** The worker is heard of, or gives the message back: nobody else has it before that time. */
  renew(subject: string, lease: number, untilMs: number): void {
    const message = this.#messages.get(subject);
    if (message?.lease !== lease) return;
    message.untilMs = untilMs;
    this.#call();
  }

  done(subject: string, lease: number): void {
    if (this.#messages.get(subject)?.lease === lease) this.#messages.delete(subject);
  }

  /** Calls whenever a message comes, or comes again. */
  onNews(call: () => void): () => void {
    this.#waiting.add(call);
    return () => this.#waiting.delete(call);
  }

  wipe(): void {
    this.#messages.clear();
  }

  #call(): void {
    for (const call of [...this.#waiting]) call();
  }
}

/** The durable part of a hub: streams that keep the last message of each subject, and buckets. */
export class MemoryStore {
  #streams = new Map<string, Map<string, Uint8Array>>();
  #buckets = new Map<string, MemoryBucket>();
  #queues = new Map<string, MemoryQueue>();

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
    for (const queue of this.#queues.values()) queue.wipe();
  }

  queue(name: string): MemoryQueue {
    const queue = this.#queues.get(name) ?? new MemoryQueue();
    this.#queues.set(name, queue);
    return queue;
  }

  bucket(name: string): MemoryBucket {
    const bucket = this.#buckets.get(name) ?? new MemoryBucket();
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
