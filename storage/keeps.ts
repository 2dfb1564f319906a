import type { TaskId } from '../core/ids.ts';

/** What is kept under one name. */
export interface Keep {
  readonly name: string;
  readonly taskIds: readonly TaskId[];
  /** Wall-clock ms. */
  readonly untilMs: number;
}

/** Where what is kept is written down. */
interface KeepBook {
  /** @throws ERR_STORE_IO */
  save(keep: Keep): void;
  erase(name: string): void;
}

/** Tasks that are not evicted, whatever else has no room. */
export class Keeps {
  readonly #book: KeepBook;
  readonly #keeps = new Map<string, Keep>();
  /** Until when each task is kept: the latest of all names. */
  #until = new Map<TaskId, number>();

  constructor(found: Iterable<Keep>, book: KeepBook) {
    this.#book = book;
    for (const keep of found) this.#keeps.set(keep.name, keep);
    this.#count();
  }

  /** @throws ERR_STORE_IO */
  keep(name: string, taskIds: readonly TaskId[], untilMs: number): void {
    const keep = { name, taskIds: [...taskIds], untilMs };
    this.#keeps.set(name, keep);
    this.#count();
    this.#book.save(keep);
  }

  release(name: string): void {
    if (!this.#keeps.delete(name)) return;
    this.#count();
    this.#book.erase(name);
  }

  has(taskId: TaskId, nowMs: number): boolean {
    return (this.#until.get(taskId) ?? 0) > nowMs;
  }

  #count(): void {
    const until = new Map<TaskId, number>();
    for (const { taskIds, untilMs } of this.#keeps.values()) {
      for (const taskId of taskIds) until.set(taskId, Math.max(untilMs, until.get(taskId) ?? 0));
    }
    this.#until = until;
  }
}
