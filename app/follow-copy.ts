import {
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';

const CHUNK_BYTES = 1024 * 1024;
/** How long it copies before whatever else the command does has its turn. */
const TURN_MS = 20;

/** What of a file that is still filling can be copied now; another revision makes what was copied before void. */
export interface Filling {
  readonly path: string;
  readonly revision: string;
  readonly fresh: readonly (readonly [number, number])[];
}

/**
 * Copies a file while it fills, so that little is left to copy when it is whole. Stands back where the file system
 * shares blocks, since a copy at the end costs nothing there. Calls of the kernel that wait: a thread pool's cost as
 * much CPU again as the copying, which the daemon beside it needs.
 */
export class FollowCopy {
  readonly #target: string;
  #source: number | undefined;
  #copy: number | undefined;
  #path = '';
  #revision = '';
  #copiedBytes = 0;
  /** One for all ranges: a new one for each keeps the collector and the kernel's page tables busy. */
  #buffer = Buffer.alloc(0);
  #useless = false;
  #work: Promise<void> = Promise.resolve();
  #turnEndsMs = 0;

  /** @param target Where the copy goes; made when there is something to copy. */
  constructor(target: string) {
    this.#target = target;
  }

  /** Takes note of fresh ranges, and copies them in the background. */
  follow(filling: Filling): void {
    if (filling.fresh.length === 0 && filling.revision === this.#revision) return;
    this.#work = this.#work
      .then(() => this.#take(filling))
      .catch(() => {
        // Whatever went wrong, the whole is copied at the end, and says so.
        this.#useless = true;
      });
  }

  async #take({ path, revision, fresh }: Filling): Promise<void> {
    if (this.#useless) return;
    if (path !== this.#path || revision !== this.#revision) this.#begin(path, revision);
    for (const [start, end] of fresh) await this.#copyRange(start, end);
  }

  #begin(path: string, revision: string): void {
    this.close();
    if (sharesBlocks(path, this.#target)) {
      this.#useless = true;
      return;
    }
    this.#path = path;
    this.#revision = revision;
    this.#copiedBytes = 0;
    this.#buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#source = openSync(path, 'r');
    this.#copy = openSync(this.#target, 'w', 0o600);
  }

  async #copyRange(start: number, end: number): Promise<void> {
    for (let at = start; at < end; ) {
      if (performance.now() > this.#turnEndsMs) {
        await setImmediate();
        this.#turnEndsMs = performance.now() + TURN_MS;
      }
      if (this.#useless || this.#source === undefined || this.#copy === undefined) return;
      const bytes = readSync(this.#source, this.#buffer, 0, Math.min(CHUNK_BYTES, end - at), at);
      if (bytes === 0) throw new Error(`the cached file ends at ${at}`);
      for (let done = 0; done < bytes; ) {
        done += writeSync(this.#copy, this.#buffer, done, bytes - done, at + done);
      }
      at += bytes;
      this.#copiedBytes += bytes;
    }
  }

  /** Whether the target is the whole file of this revision now; ranges that were never told are not in it. */
  async whole(path: string, revision: string | undefined, length: number): Promise<boolean> {
    await this.#work;
    const same = !this.#useless && path === this.#path && revision === this.#revision;
    const whole = same && this.#copiedBytes === length;
    if (whole && this.#copy !== undefined) ftruncateSync(this.#copy, length);
    this.close();
    return whole;
  }

  /** Copies nothing more, and makes no file any more. */
  stop(): void {
    this.#useless = true;
  }

  /** Lets go of the files. */
  close(): void {
    if (this.#source !== undefined) closeSync(this.#source);
    if (this.#copy !== undefined) closeSync(this.#copy);
    this.#source = undefined;
    this.#copy = undefined;
  }
}

/** Whether a copy from one path to the other would share the blocks. */
function sharesBlocks(source: string, target: string): boolean {
  try {
    copyFileSync(source, target, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(target, { force: true });
  }
}
