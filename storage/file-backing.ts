import { ftruncateSync, read, readSync, renameSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Backing } from './backing.ts';
import { type FdCache, TaskFds } from './fd-cache.ts';
import { PIECE_FILE_HEADER } from './piece-file.ts';
import type { TaskMeta } from './task-meta.ts';

/** Content may be read by the group, for those whom the daemon lets in. */
export const FILE_MODE = 0o640;

/** No kernel has smaller pages. */
const PAGE_BYTES = 4096;

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
  /** Bytes of the meta file, where this backing wrote it. */
  #metaBytes: number | undefined;

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

  /** The first meta of a new task: while it is not whole, nothing in the directory is of any use. */
  makeMeta(meta: TaskMeta): void {
    const text = Buffer.from(JSON.stringify(meta));
    writeFileSync(join(this.#dir, FILES.meta), text, { mode: FILE_MODE });
    this.#metaBytes = text.length;
  }

  /**
   * In place where old and new lie in one page: the kernel writes that as a whole or, to a killed process, not at all.
   * Else by a new file that takes the old one's name.
   */
  saveMeta(meta: TaskMeta): void {
    const path = join(this.#dir, FILES.meta);
    const bytes = Buffer.from(JSON.stringify(meta));
    const before = this.#metaBytes ?? Number.POSITIVE_INFINITY;
    const most = Math.max(before, bytes.length);
    if (most <= PAGE_BYTES) {
      // JSON may end with spaces: what was longer before is covered.
      const covering = Buffer.alloc(most, ' ');
      covering.set(bytes);
      writeFileSync(path, covering, { flag: 'r+' });
      this.#metaBytes = most;
      return;
    }
    const temporary = join(this.#dir, FILES.temporary);
    writeFileSync(temporary, bytes, { mode: FILE_MODE });
    renameSync(temporary, path);
    this.#metaBytes = bytes.length;
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

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
