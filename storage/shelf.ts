import { ShoalError } from '../core/errors.ts';
import type { TaskId } from '../core/ids.ts';
import type { Backing, Depot } from './backing.ts';
import { isDiskFull, storeError } from './fs-errors.ts';
import type { TaskMeta } from './task-meta.ts';

/** What one emergency eviction frees at least. */
const DISK_ROOM_BYTES = 16 * 1024 * 1024;

/** The meta without the sources, which thousands of closed tasks need not keep in memory. */
export type EntryMeta = Pick<TaskMeta, 'length' | 'pieceLength' | 'audience' | 'sealed'>;

export function slim({ length, pieceLength, audience, sealed }: EntryMeta): EntryMeta {
  return { length, pieceLength, audience, sealed };
}

/** What is known of a task without opening it. */
export interface Entry {
  readonly taskId: TaskId;
  meta: EntryMeta;
  storedBytes: number;
  /** Bytes it counts for in the quota. */
  reservedBytes: number;
  lastUsedMs: number;
  pins: number;
  /** Where it is open: its files. */
  backing: Backing | undefined;
  /** Deletes it once the last pin goes; set where it was removed while pinned. */
  erase: (() => void) | undefined;
}

/** All tasks in the order of their use, and the space they take. */
export class Shelf {
  readonly quotaBytes: number;
  readonly #depot: Depot;
  /** Least recently used first. */
  readonly #entries = new Map<TaskId, Entry>();
  readonly #evicted: (taskId: TaskId) => void;
  readonly #isKept: (taskId: TaskId) => boolean;
  readonly #erasing = new Set<Promise<void>>();
  #bytes = 0;

  constructor(
    depot: Depot,
    quotaBytes: number,
    evicted: (taskId: TaskId) => void,
    isKept: (taskId: TaskId) => boolean,
  ) {
    this.#depot = depot;
    this.quotaBytes = quotaBytes;
    this.#evicted = evicted;
    this.#isKept = isKept;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get tasks(): number {
    return this.#entries.size;
  }

  get(taskId: TaskId): Entry | undefined {
    return this.#entries.get(taskId);
  }

  entries(): Entry[] {
    return [...this.#entries.values()];
  }

  add(entry: Entry): void {
    this.#entries.set(entry.taskId, entry);
    this.#bytes += entry.reservedBytes;
  }

  /** Marks as used now: last in line for eviction. */
  use(entry: Entry, nowMs: number): void {
    entry.lastUsedMs = nowMs;
    if (this.#entries.get(entry.taskId) !== entry) return;
    this.#entries.delete(entry.taskId);
    this.#entries.set(entry.taskId, entry);
  }

  /** Changes what a task counts for, making room where it grows. @throws ERR_STORE_FULL */
  reserve(entry: Entry, bytes: number): void {
    if (bytes > entry.reservedBytes) this.makeRoom(bytes - entry.reservedBytes, entry);
    this.#bytes += bytes - entry.reservedBytes;
    entry.reservedBytes = bytes;
  }

  /** Evicts until `bytes` more fit the quota; nothing is evicted where that cannot help. @throws ERR_STORE_FULL */
  makeRoom(bytes: number, spare?: Entry): void {
    let excess = this.#bytes + bytes - this.quotaBytes;
    if (excess <= 0) return;
    const victims = this.#victims(excess, spare);
    for (const victim of victims) excess -= victim.reservedBytes;
    if (excess > 0) {
      throw new ShoalError(
        'ERR_STORE_FULL',
        `${bytes} bytes do not fit: ${this.#bytes} of ${this.quotaBytes} are taken, by content in use`,
        { details: { neededBytes: bytes, usedBytes: this.#bytes, quotaBytes: this.quotaBytes } },
      );
    }
    for (const victim of victims) {
      this.take(victim);
      this.#evicted(victim.taskId);
    }
  }

  /**
   * Runs `act`, and once more after an eviction where the disk is full below the quota.
   * @param bytes What `act` writes, about. @throws ERR_STORE_FULL, ERR_STORE_IO
   */
  onDisk<T>(entry: Entry, doing: string, bytes: number, act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (!isDiskFull(error) || !this.#makeDiskRoom(Math.max(bytes, DISK_ROOM_BYTES), entry)) {
        throw storeError(error, doing);
      }
    }
    try {
      return act();
    } catch (error) {
      throw storeError(error, doing);
    }
  }

  /** Removes a task from sight at once and from disk as soon as nobody has it pinned. */
  take(entry: Entry): void {
    if (!this.#hide(entry)) return;
    const detached = this.#depot.detach(entry.taskId, entry.backing);
    const erase = () => {
      const erasing = detached.erase().finally(() => this.#erasing.delete(erasing));
      this.#erasing.add(erasing);
    };
    if (entry.pins === 0) erase();
    else entry.erase = erase;
  }

  /** Spares a task until the release is called; calling it again does nothing. */
  pin(entry: Entry): () => void {
    entry.pins += 1;
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      entry.pins -= 1;
      if (entry.pins === 0) entry.erase?.();
    };
  }

  /** Resolves when everything taken so far is deleted, but for what is pinned. */
  async erased(): Promise<void> {
    while (this.#erasing.size > 0) await Promise.all(this.#erasing);
  }

  #makeDiskRoom(bytes: number, spare: Entry): boolean {
    let freed = 0;
    for (const victim of this.entries()) {
      if (freed >= bytes) break;
      if (victim.storedBytes === 0 || this.#isSpared(victim, spare)) continue;
      freed += victim.storedBytes;
      this.#hide(victim);
      this.#depot.detach(victim.taskId, victim.backing).eraseSync();
      this.#evicted(victim.taskId);
    }
    return freed > 0;
  }

  #victims(bytes: number, spare: Entry | undefined): Entry[] {
    const victims: Entry[] = [];
    let found = 0;
    for (const entry of this.#entries.values()) {
      if (found >= bytes) break;
      if (entry.reservedBytes === 0 || this.#isSpared(entry, spare)) continue;
      victims.push(entry);
      found += entry.reservedBytes;
    }
    return victims;
  }

  #isSpared(entry: Entry, spare: Entry | undefined): boolean {
    return entry === spare || entry.pins > 0 || this.#isKept(entry.taskId);
  }

  #hide(entry: Entry): boolean {
    if (this.#entries.get(entry.taskId) !== entry) return false;
    this.#entries.delete(entry.taskId);
    this.#bytes -= entry.reservedBytes;
    return true;
  }
}
