import type { Clock } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import type { TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { BackedTask } from './backed-task.ts';
import type { Depot, Loaded } from './backing.ts';
import { storeError } from './fs-errors.ts';
import type { Keeps } from './keeps.ts';
import { PieceTable } from './piece-table.ts';
import { type Entry, type EntryMeta, Shelf, slim } from './shelf.ts';
import type { Store, StoredRow, StoredTask, TaskRecord } from './store.ts';
import type { TaskMeta } from './task-meta.ts';

/** A use is written to disk when the last one written is older than this. */
const TOUCH_EVERY_MS = 60_000;

/** A task found at the start. */
export interface Found {
  readonly meta: TaskMeta;
  readonly storedBytes: number;
  readonly lastUsedMs: number;
}

/** The store over a depot: finds, opens, counts and evicts tasks. */
export class ShelfStore implements Store {
  readonly #depot: Depot;
  readonly #clock: Pick<Clock, 'wall'>;
  readonly #bootId: string;
  readonly #shelf: Shelf;
  readonly #keeps: Keeps;
  readonly #evicted: ((taskId: TaskId) => void)[] = [];
  /** One object a task for as long as anybody has it: two would not agree. */
  readonly #open = new Map<TaskId, WeakRef<BackedTask>>();
  readonly #recent = new Set<BackedTask>();
  readonly #opening = new Map<TaskId, Promise<BackedTask | undefined>>();
  readonly #touched = new Map<TaskId, number>();

  constructor(
    depot: Depot,
    clock: Pick<Clock, 'wall'>,
    quotaBytes: number,
    bootId: string,
    found: Iterable<Found>,
    keeps: Keeps,
  ) {
    this.#depot = depot;
    this.#clock = clock;
    this.#bootId = bootId;
    this.#keeps = keeps;
    const evicted = (taskId: TaskId) => {
      this.#forget(taskId);
      for (const listener of this.#evicted) listener(taskId);
    };
    this.#shelf = new Shelf(depot, quotaBytes, evicted, (taskId) => this.isKept(taskId));
    for (const { meta, storedBytes, lastUsedMs } of [...found].sort((a, b) => a.lastUsedMs - b.lastUsedMs)) {
      const reservedBytes = Math.max(meta.length ?? 0, storedBytes);
      this.#shelf.add(entryOf(meta, storedBytes, reservedBytes, lastUsedMs));
    }
    this.#shrink();
  }

  /** Where what is kept is beyond the quota, all of that stays. */
  #shrink(): void {
    try {
      this.#shelf.makeRoom(0);
    } catch (error) {
      if (!(error instanceof ShoalError) || error.code !== 'ERR_STORE_FULL') throw error;
    }
  }

  keep(name: string, taskIds: readonly TaskId[], untilMs: number): void {
    this.#keeps.keep(name, taskIds, untilMs);
  }

  release(name: string): void {
    this.#keeps.release(name);
  }

  isKept(taskId: TaskId): boolean {
    return this.#keeps.has(taskId, this.#clock.wall());
  }

  get usage() {
    return { bytes: this.#shelf.bytes, tasks: this.#shelf.tasks, quotaBytes: this.#shelf.quotaBytes };
  }

  async open(taskId: TaskId): Promise<StoredTask | undefined> {
    const entry = this.#shelf.get(taskId);
    if (entry !== undefined) this.#used(entry);
    return this.look(taskId);
  }

  async look(taskId: TaskId): Promise<StoredTask | undefined> {
    const entry = this.#shelf.get(taskId);
    if (entry === undefined) return undefined;
    const known = this.#open.get(taskId)?.deref();
    if (known !== undefined) {
      this.#keep(known);
      return known;
    }
    const running = this.#opening.get(taskId);
    if (running !== undefined) return running;
    const opening = this.#load(entry).finally(() => this.#opening.delete(taskId));
    this.#opening.set(taskId, opening);
    return opening;
  }

  async create(record: TaskRecord): Promise<StoredTask> {
    const known = await this.open(record.taskId);
    if (known !== undefined) return known;
    const { length, pieceLength } = record;
    if (pieceLength < 1 || (length ?? 0) > pieceLength * LIMITS.piecesPerTask) {
      throw new ShoalError('ERR_STORE_IO', `${length} bytes cannot be cut in pieces of ${pieceLength}`);
    }
    // Somebody else's create may have come first.
    if (this.#shelf.get(record.taskId) !== undefined) return this.create(record);
    const entry = entryOf({ ...record, sealed: false }, 0, 0, this.#clock.wall());
    const meta: TaskMeta = {
      ...record,
      sources: record.sources.map((source) => ({ ...source })),
      version: 1,
      sealed: false,
      bootId: this.#bootId,
    };
    this.#shelf.makeRoom(length ?? 0);
    const backing = this.#shelf.onDisk(entry, 'starting a task', 0, () =>
      this.#depot.make(meta, entry.lastUsedMs),
    );
    this.#shelf.add(entry);
    this.#shelf.reserve(entry, length ?? 0);
    return this.#opened({ meta, table: new PieceTable(pieceLength, length), backing }, entry);
  }

  row(taskId: TaskId): StoredRow | undefined {
    const entry = this.#shelf.get(taskId);
    return entry === undefined ? undefined : rowOf(entry);
  }

  *rows(): Generator<StoredRow> {
    for (const entry of this.#shelf.entries()) yield rowOf(entry);
  }

  async remove(taskId: TaskId): Promise<void> {
    const entry = this.#shelf.get(taskId);
    if (entry === undefined) return;
    try {
      this.#shelf.take(entry);
    } catch (error) {
      throw storeError(error, 'removing a task');
    }
    this.#forget(taskId);
    await this.#shelf.erased();
  }

  onEvicted(listener: (taskId: TaskId) => void): void {
    this.#evicted.push(listener);
  }

  async close(): Promise<void> {
    await this.#shelf.erased();
    for (const task of this.#recent) {
      const entry = this.#shelf.get(task.record.taskId);
      entry?.backing?.touch(entry.lastUsedMs);
    }
    this.#recent.clear();
    this.#depot.close();
  }

  async #load(entry: Entry): Promise<BackedTask | undefined> {
    let loaded: Loaded | undefined;
    entry.backing?.close();
    entry.backing = undefined;
    try {
      loaded = await this.#depot.load(entry.taskId);
    } catch (error) {
      if (this.#shelf.get(entry.taskId) !== entry) return undefined;
      throw storeError(error, 'opening a task');
    }
    if (this.#shelf.get(entry.taskId) !== entry) return undefined;
    if (loaded === undefined) {
      this.#shelf.take(entry);
      return undefined;
    }
    entry.meta = slim(loaded.meta);
    entry.storedBytes = loaded.table.storedBytes;
    return this.#opened(loaded, entry);
  }

  #opened(loaded: Loaded, entry: Entry): BackedTask {
    entry.backing = loaded.backing;
    const task = new BackedTask(loaded, entry, this.#shelf, (used) => this.#used(used));
    this.#open.set(entry.taskId, new WeakRef(task));
    this.#keep(task);
    return task;
  }

  #keep(task: BackedTask): void {
    this.#recent.delete(task);
    this.#recent.add(task);
    for (const oldest of this.#recent) {
      if (this.#recent.size <= this.#depot.keepOpen) break;
      this.#recent.delete(oldest);
      const entry = this.#shelf.get(oldest.record.taskId);
      if (entry !== undefined) this.#touch(entry);
    }
  }

  #forget(taskId: TaskId): void {
    const task = this.#open.get(taskId)?.deref();
    if (task !== undefined) this.#recent.delete(task);
    this.#open.delete(taskId);
    this.#touched.delete(taskId);
  }

  #used(entry: Entry): void {
    this.#shelf.use(entry, this.#clock.wall());
    const written = this.#touched.get(entry.taskId) ?? 0;
    if (entry.lastUsedMs - written >= TOUCH_EVERY_MS) this.#touch(entry);
  }

  #touch(entry: Entry): void {
    if (entry.backing === undefined) return;
    this.#touched.set(entry.taskId, entry.lastUsedMs);
    entry.backing.touch(entry.lastUsedMs);
  }
}

function entryOf(
  meta: EntryMeta & { taskId: TaskId },
  storedBytes: number,
  reservedBytes: number,
  lastUsedMs: number,
): Entry {
  return {
    taskId: meta.taskId,
    meta: slim(meta),
    storedBytes,
    reservedBytes,
    lastUsedMs,
    pins: 0,
    backing: undefined,
    erase: undefined,
  };
}

function rowOf({ taskId, meta, storedBytes, lastUsedMs }: Entry): StoredRow {
  return {
    taskId,
    length: meta.length,
    pieceLength: meta.pieceLength,
    audience: meta.audience,
    complete: meta.sealed,
    storedBytes,
    lastUsedMs,
  };
}
