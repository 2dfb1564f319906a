import type { TaskId } from '../core/ids.ts';
import type { PieceTable } from './piece-table.ts';
import type { TaskMeta } from './task-meta.ts';

/** Where one task's content, records and meta are kept. Errors are those of the file system, untranslated. */
export interface Backing {
  /** Where the content is. */
  readonly path: string;
  write(bytes: Uint8Array, position: number): void;
  readSync(buffer: Uint8Array, position: number): number;
  read(buffer: Uint8Array, position: number): Promise<number>;
  truncate(length: number): void;
  /** Adds one piece record; survives kill -9 when it returns. */
  append(record: Uint8Array): void;
  /** Takes all piece records back. */
  forget(): void;
  /** Replaces the meta, all or nothing. */
  saveMeta(meta: TaskMeta): void;
  /** Keeps when the task was last used, milliseconds since 1970. */
  touch(usedMs: number): void;
  /** Lets go of open files; a later use opens them again. */
  close(): void;
}

/** A task as found. */
export interface Loaded {
  readonly meta: TaskMeta;
  readonly table: PieceTable;
  readonly backing: Backing;
}

/** A task that is out of sight and waits to be deleted. */
export interface Detached {
  /** Never rejects. */
  erase(): Promise<void>;
  eraseSync(): void;
}

/** Where tasks are kept: a directory, or memory. */
export interface Depot {
  make(meta: TaskMeta, usedMs: number): Backing;
  /** Undefined where what is there cannot be used; only proven pieces are in the table. */
  load(taskId: TaskId): Promise<Loaded | undefined>;
  /** Hides the task at once; `backing` is its own, where it is open. */
  detach(taskId: TaskId, backing: Backing | undefined): Detached;
  /** Opened tasks kept beyond what their users hold. */
  readonly keepOpen: number;
  close(): void;
}
