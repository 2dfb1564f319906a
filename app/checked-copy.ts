import { createHash } from 'node:crypto';
import { closeSync, constants, copyFileSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { PieceHashes } from '../core/download.ts';
import { ShoalError } from '../core/errors.ts';

const CHUNK_BYTES = 1024 * 1024;
const HASH_BYTES = 32;
/** How long it copies before whatever else the command does has its turn. */
const TURN_MS = 20;

/** What of a file that is still filling can be copied now; another revision makes what was copied before void. */
export interface Filling {
  readonly path: string;
  readonly revision: string;
  readonly pieceBytes: number;
  readonly fresh: readonly (readonly [number, number])[];
}

/** The cached file as a whole, and what its pieces must be. */
export interface Cached {
  readonly path: string;
  readonly revision: string | undefined;
  readonly length: number;
  readonly pieces: PieceHashes;
}

/**
 * Copies a cached file, while it fills where it can, and proves the copy: every byte that is written, or that a shared
 * block holds, is hashed here and compared with what its piece must be. Calls of the kernel that wait: a thread pool's
 * cost as much CPU again as the copying, which the daemon beside it needs.
 */
export class CheckedCopy {
  readonly #target: string;
  #source: number | undefined;
  #copy: number | undefined;
  #path = '';
  #revision: string | undefined;
  #pieceBytes = 0;
  /** SHA-256 of what was written, by piece. */
  readonly #hashes = new Map<number, Uint8Array>();
  /** One for all ranges: a new one for each keeps the collector and the kernel's page tables busy. */
  #buffer = Buffer.alloc(0);
  #stopped = false;
  /** Blocks are shared here: a copy at the end costs nothing. */
  #shares = false;
  #work: Promise<void> = Promise.resolve();
  #turnEndsMs = 0;

  /** @param target Where the copy goes; made when there is something to copy. */
  constructor(target: string) {
    this.#target = target;
  }

  /** Takes note of fresh ranges, each of whole pieces, and copies them in the background. */
  follow(filling: Filling): void {
    if (filling.fresh.length === 0 && filling.revision === this.#revision) return;
    this.#work = this.#work
      .then(() => this.#take(filling))
      .catch(() => {
        // Whatever went wrong, the whole is copied at the end, and says so.
        this.#forget();
      });
  }

  async #take({ path, revision, pieceBytes, fresh }: Filling): Promise<void> {
    if (this.#stopped || this.#shares) return;
    if (path !== this.#path || revision !== this.#revision) {
      this.#forget();
      this.#shares = clone(path, this.#target);
      if (this.#shares) return rmSync(this.#target, { force: true });
      this.#begin(path, revision, pieceBytes);
    }
    for (const [start, end] of fresh) {
      for (let at = start; at < end; at += pieceBytes)
        await this.#copyPiece(at, Math.min(at + pieceBytes, end));
    }
  }

  #begin(path: string, revision: string | undefined, pieceBytes: number): void {
    this.#path = path;
    this.#revision = revision;
    this.#pieceBytes = pieceBytes;
    this.#source = openSync(path, 'r');
    this.#copy = openSync(this.#target, 'w', 0o600);
  }

  /**
   * Makes the target the whole file, and proves it.
   * @throws ERR_STORE_CORRUPT where a piece is not what it must be, ERR_CANCELLED, errors of the file system
   */
  async finish(cached: Cached, signal: AbortSignal): Promise<void> {
    await this.#work;
    const { path, revision, length, pieces } = cached;
    const { bytes: pieceBytes } = pieces;
    try {
      const isBegun = path === this.#path && revision === this.#revision && pieceBytes === this.#pieceBytes;
      if (!isBegun || revision === undefined) {
        this.#forget();
        if (!clone(path, this.#target)) this.#begin(path, revision, pieceBytes);
        else this.#source = openSync(this.#target, 'r');
        this.#pieceBytes = pieceBytes;
      }
      for (let at = 0; at < length; at += pieceBytes) {
        signal.throwIfAborted();
        if (this.#hashes.has(at / pieceBytes)) continue;
        await this.#copyPiece(at, Math.min(at + pieceBytes, length));
      }
      signal.throwIfAborted();
      this.#compare(length, pieces);
    } finally {
      this.close();
    }
  }

  /** One piece: from the source to the copy where there is one, by way of the hash. */
  async #copyPiece(start: number, end: number): Promise<void> {
    const hash = createHash('sha256');
    if (this.#buffer.length === 0) this.#buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (let at = start; at < end; ) {
      if (performance.now() > this.#turnEndsMs) {
        await setImmediate();
        this.#turnEndsMs = performance.now() + TURN_MS;
      }
      if (this.#stopped || this.#source === undefined) return;
      const bytes = readSync(this.#source, this.#buffer, 0, Math.min(CHUNK_BYTES, end - at), at);
      if (bytes === 0) throw new ShoalError('ERR_STORE_CORRUPT', `the cached file ends at byte ${at}`);
      const part = this.#buffer.subarray(0, bytes);
      hash.update(part);
      for (let done = 0; this.#copy !== undefined && done < bytes; ) {
        done += writeSync(this.#copy, part, done, bytes - done, at + done);
      }
      at += bytes;
    }
    this.#hashes.set(start / this.#pieceBytes, hash.digest());
  }

  #compare(length: number, { bytes, hashes }: PieceHashes): void {
    const wanted = Buffer.from(hashes, 'base64');
    const count = Math.ceil(length / bytes);
    for (let piece = 0; piece < count; piece += 1) {
      const must = wanted.subarray(piece * HASH_BYTES, (piece + 1) * HASH_BYTES);
      const is = this.#hashes.get(piece);
      if (is !== undefined && must.length === HASH_BYTES && Buffer.compare(is, must) === 0) continue;
      throw new ShoalError('ERR_STORE_CORRUPT', `piece ${piece} of the cached file is not what it must be`);
    }
  }

  /** Copies nothing more, and makes no file any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** What was copied counts no more. */
  #forget(): void {
    this.close();
    this.#path = '';
    this.#revision = undefined;
    this.#hashes.clear();
    rmSync(this.#target, { force: true });
  }

  /** Lets go of the files. */
  close(): void {
    if (this.#source !== undefined) closeSync(this.#source);
    if (this.#copy !== undefined) closeSync(this.#copy);
    this.#source = undefined;
    this.#copy = undefined;
  }
}

/** Copies by sharing blocks; false where the file system does not. */
function clone(source: string, target: string): boolean {
  try {
    copyFileSync(source, target, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    rmSync(target, { force: true });
    return false;
  }
}
