import { closeSync, openSync } from 'node:fs';

interface Fds {
  readonly data: number;
  readonly pieces: number;
}

/** The two files of a task, opened when used and closed again when others are used. */
export class TaskFds {
  readonly #cache: FdCache;
  readonly #paths: { data: string; pieces: string };
  #fds: Fds | undefined;
  #uses = 0;
  #closing = false;

  constructor(cache: FdCache, paths: { data: string; pieces: string }) {
    this.#cache = cache;
    this.#paths = { ...paths };
  }

  /** Runs with the files open. */
  use<T>(act: (fds: Fds) => T): T {
    return act(this.#opened());
  }

  /** Keeps the files open until the work is done: a closed descriptor could be another file's by then. */
  async during<T>(act: (fds: Fds) => Promise<T>): Promise<T> {
    const fds = this.#opened();
    this.#uses += 1;
    try {
      return await act(fds);
    } finally {
      this.#uses -= 1;
      if (this.#closing) this.close();
    }
  }

  moved(paths: { data: string; pieces: string }): void {
    this.#paths.data = paths.data;
    this.#paths.pieces = paths.pieces;
  }

  get busy(): boolean {
    return this.#uses > 0;
  }

  close(): void {
    this.#cache.drop(this);
    this.#closing = this.busy;
    if (this.#closing || this.#fds === undefined) return;
    closeSync(this.#fds.data);
    closeSync(this.#fds.pieces);
    this.#fds = undefined;
  }

  #opened(): Fds {
    this.#closing = false;
    if (this.#fds === undefined) {
      const data = openSync(this.#paths.data, 'r+');
      try {
        this.#fds = { data, pieces: openSync(this.#paths.pieces, 'r+') };
      } catch (error) {
        closeSync(data);
        throw error;
      }
    }
    this.#cache.used(this);
    return this.#fds;
  }
}

/** Which tasks have their files open, least recently used first. */
export class FdCache {
  readonly #open = new Set<TaskFds>();
  readonly #most: number;

  /** @param most Tasks whose files are open at once, but for those in use at this moment. */
  constructor(most: number) {
    this.#most = most;
  }

  used(files: TaskFds): void {
    this.#open.delete(files);
    this.#open.add(files);
    if (this.#open.size <= this.#most) return;
    for (const oldest of this.#open) {
      if (oldest.busy) continue;
      oldest.close();
      if (this.#open.size <= this.#most) break;
    }
  }

  drop(files: TaskFds): void {
    this.#open.delete(files);
  }

  closeAll(): void {
    for (const files of [...this.#open]) files.close();
  }
}
