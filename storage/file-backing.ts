import { ftruncateSync, read, readSync, renameSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Backing } from './backing.ts';
import { type FdCache, TaskFds } from './fd-cache.ts';
import { PIECE_FILE_HEADER } from './piece-file.ts';
import type { TaskMeta } from './task-meta.ts';

/** Content may be read by the group, for those whom the daemon lets in. */
export const FILE_MODE = 0o640;

/** Names of a task's files in its directory. */
export const FILES = {
  data: 'data',
  pieces: 'pieces',
  meta: 'meta.json',
  temporary: 'meta.json.tmp',
} as const;

/** A task as a directory of three files. */
export class FileBacking implements Backing {
  #dir: string;
  readonly #fds: TaskFds;
  /** Where the next record goes; a torn one is overwritten. */
  #recordsEnd: number;

  /** @param recordsEnd Bytes of the piece file that are whole. */
  constructor(dir: string, cache: FdCache, recordsEnd: number) {
    this.#dir = dir;
    this.#fds = new TaskFds(cache, this.#paths());
    this.#recordsEnd = recordsEnd;
  }

  get path(): string {
    return join(this.#dir, FILES.data);
  }

  write(bytes: Uint8Array, position: number): void {
    this.#fds.use(({ data }) => writeAll(data, bytes, position));
  }

  readSync(buffer: Uint8Array, position: number): number {
    return this.#fds.use(({ data }) => readSync(data, buffer, 0, buffer.length, position));
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#fds.during(
      ({ data }) =>
        new Promise((resolve, reject) => {
          read(data, buffer, 0, buffer.length, position, (error, count) =>
            error === null ? resolve(count) : reject(error),
          );
        }),
    );
  }

  truncate(length: number): void {
    this.#fds.use(({ data }) => ftruncateSync(data, length));
  }

  append(record: Uint8Array): void {
    this.#fds.use(({ pieces }) => writeAll(pieces, record, this.#recordsEnd));
    this.#recordsEnd += record.length;
  }

  forget(): void {
    this.#fds.use(({ pieces }) => ftruncateSync(pieces, PIECE_FILE_HEADER.length));
    this.#recordsEnd = PIECE_FILE_HEADER.length;
  }

  saveMeta(meta: TaskMeta): void {
    writeMeta(this.#dir, meta);
  }

  touch(usedMs: number): void {
    try {
      utimesSync(join(this.#dir, FILES.meta), usedMs / 1000, usedMs / 1000);
    } catch {
      // When it was used is only a hint for eviction.
    }
  }

  close(): void {
    this.#fds.close();
  }

  /** The directory has another name now. */
  moved(dir: string): void {
    this.#dir = dir;
    this.#fds.moved(this.#paths());
  }

  #paths() {
    return { data: join(this.#dir, FILES.data), pieces: join(this.#dir, FILES.pieces) };
  }
}

/** Replaces a task's meta, all or nothing. */
export function writeMeta(dir: string, meta: TaskMeta): void {
  const temporary = join(dir, FILES.temporary);
  writeFileSync(temporary, JSON.stringify(meta), { mode: FILE_MODE });
  renameSync(temporary, join(dir, FILES.meta));
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
