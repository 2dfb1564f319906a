import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Backing, Depot, Detached, Loaded } from './backing.ts';
import { FdCache } from './fd-cache.ts';
import { FILE_MODE, FILES, FileBacking } from './file-backing.ts';
import { encodeRecord, PIECE_FILE_HEADER, scanPieceFile } from './piece-file.ts';
import { PieceTable } from './piece-table.ts';
import { rehash } from './rehash.ts';
import { parseMeta, type TaskMeta } from './task-meta.ts';

/** Tasks in directories: `tasks/<2 hex>/<taskId>/`, and those being deleted in `removed/`. */
export class DiskDepot implements Depot {
  readonly keepOpen = 64;
  readonly #tasks: string;
  readonly #removed: string;
  readonly #bootId: string;
  readonly #logger: Logger;
  readonly #cache: FdCache;
  #removals = 0;

  /** @param openTasks Tasks whose files are kept open. */
  constructor(dir: string, bootId: string, logger: Logger, openTasks: number) {
    this.#cache = new FdCache(openTasks);
    this.#tasks = join(dir, 'tasks');
    this.#removed = join(dir, 'removed');
    this.#bootId = bootId;
    this.#logger = logger;
  }

  make(meta: TaskMeta, usedMs: number): Backing {
    const dir = this.#dir(meta.taskId);
    const backing = new FileBacking(dir, this.#cache, PIECE_FILE_HEADER.length);
    try {
      makeDir(dir);
      const data = openSync(join(dir, FILES.data), 'w', FILE_MODE);
      try {
        if (meta.length !== undefined) ftruncateSync(data, meta.length);
      } finally {
        closeSync(data);
      }
      writeFileSync(join(dir, FILES.pieces), PIECE_FILE_HEADER, { mode: FILE_MODE });
      backing.makeMeta(meta);
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
    backing.touch(usedMs);
    return backing;
  }

  async load(taskId: TaskId): Promise<Loaded | undefined> {
    try {
      return await this.#load(taskId, this.#dir(taskId));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #load(taskId: TaskId, dir: string): Promise<Loaded | undefined> {
    let meta = parseMeta(await readFile(join(dir, FILES.meta), 'utf8'));
    if (meta === undefined || meta.taskId !== taskId) return undefined;
    const table = new PieceTable(meta.pieceLength, meta.length);
    const scan = scanPieceFile(await readFile(join(dir, FILES.pieces)));
    table.replay(scan?.records ?? []);
    const backing = new FileBacking(dir, this.#cache, scan?.end ?? 0);
    if (scan !== undefined) truncateSync(join(dir, FILES.pieces), scan.end);
    const size = statSync(join(dir, FILES.data)).size;
    const proven = meta.bootId === this.#bootId && scan?.damaged === false && size >= (meta.length ?? 0);
    if (!proven) {
      const wrong = await rehash(table, backing);
      if (wrong > 0) this.#logger.warn({ taskId, pieces: wrong }, 'stored pieces are damaged and taken back');
      if (wrong > 0 || scan === undefined || scan.damaged) {
        backing.close();
        const header = [PIECE_FILE_HEADER];
        for (const record of table.records())
          header.push(encodeRecord(record.piece, record.length, record.hash));
        const file = Buffer.concat(header);
        writeFileSync(join(dir, FILES.temporary), file, { mode: FILE_MODE });
        renameSync(join(dir, FILES.temporary), join(dir, FILES.pieces));
        meta = { ...meta, sealed: meta.sealed && table.length !== undefined && table.have.complete };
        const fresh = new FileBacking(dir, this.#cache, file.length);
        this.#proven(fresh, dir, meta);
        return { meta: { ...meta, bootId: this.#bootId }, table, backing: fresh };
      }
      this.#proven(backing, dir, meta);
      meta = { ...meta, bootId: this.#bootId };
    }
    if (meta.sealed && !(table.length !== undefined && table.have.complete)) {
      meta = { ...meta, sealed: false };
      this.#proven(backing, dir, meta);
    }
    return { meta, table, backing };
  }

  detach(taskId: TaskId, backing: Backing | undefined): Detached {
    this.#removals += 1;
    let hidden = join(this.#removed, `${process.pid}-${this.#removals}`);
    const failed = (error: unknown) =>
      this.#logger.warn({ taskId, err: error }, 'a removed task could not be deleted');
    const eraseSync = () => {
      backing?.close();
      try {
        rmSync(hidden, { recursive: true, force: true });
      } catch (error) {
        failed(error);
      }
    };
    try {
      renameSync(this.#dir(taskId), hidden);
    } catch (error) {
      failed(error);
      hidden = this.#dir(taskId);
      eraseSync();
    }
    if (backing instanceof FileBacking) backing.moved(hidden);
    return {
      erase: async () => {
        backing?.close();
        await rm(hidden, { recursive: true, force: true }).catch(failed);
      },
      eraseSync,
    };
  }

  close(): void {
    this.#cache.closeAll();
  }

  #proven(backing: Backing, dir: string, meta: TaskMeta): void {
    const usedMs = statSync(join(dir, FILES.meta)).mtimeMs;
    backing.saveMeta({ ...meta, bootId: this.#bootId });
    backing.touch(usedMs);
  }

  #dir(taskId: TaskId): string {
    return taskDir(this.#tasks, taskId);
  }
}

/** Directory of a task: by the first two hex digits of its id, so that none grows too large. */
export function taskDir(tasks: string, taskId: TaskId): string {
  const hex = taskId.slice(taskId.indexOf('-') + 1);
  return join(tasks, hex.slice(0, 2), taskId);
}

/** Makes an empty directory of a task, and what it lies in. */
function makeDir(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o750 });
  } catch {
    // What a create that was cut off, or that failed, left here.
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true, mode: 0o750 });
  }
}

/** What the start needs to know of a task; undefined where its directory is of no use. */
export function peek(dir: string): { meta: TaskMeta; storedBytes: number; lastUsedMs: number } | undefined {
  try {
    const path = join(dir, FILES.meta);
    const meta = parseMeta(readFileSync(path, 'utf8'));
    if (meta === undefined) return undefined;
    const lastUsedMs = Math.round(statSync(path).mtimeMs);
    if (meta.sealed) return { meta, storedBytes: meta.length ?? 0, lastUsedMs };
    const table = new PieceTable(meta.pieceLength, meta.length);
    table.replay(scanPieceFile(readFileSync(join(dir, FILES.pieces)))?.records ?? []);
    return { meta, storedBytes: table.storedBytes, lastUsedMs };
  } catch {
    return undefined;
  }
}
