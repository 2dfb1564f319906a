import { createHash, type Hash } from 'node:crypto';
import { createBufferPool } from '../core/buffer-pool.ts';
import { onAbort } from '../core/on-abort.ts';
import type { StoredTask } from './store.ts';

/** What is read at a time, into buffers that hashers of all tasks share. */
const BUFFERS = createBufferPool(512 * 1024, 8);

/**
 * Hashes a task's whole content in order, behind the writes. A piece that is taken back after it was hashed needs
 * a new one.
 */
export class WholeHasher {
  readonly #task: StoredTask;
  readonly #hash: Hash;
  readonly #unlisten: () => void;
  readonly #digest: Promise<string>;
  #resolve: (hex: string) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #position = 0;
  #running = false;
  #ended = false;

  /** @param signal Ends the work; `digest` rejects with its reason. */
  constructor(task: StoredTask, algorithm: 'sha256' | 'sha512', signal?: AbortSignal) {
    this.#task = task;
    this.#hash = createHash(algorithm);
    this.#digest = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever does not ask for the digest need not hear of its failure.
    this.#digest.catch(() => {});
    this.#unlisten = onAbort(signal, () => this.#fail(signal?.reason));
    if (signal?.aborted) this.#fail(signal.reason);
  }

  /** Bytes hashed so far. */
  get position(): number {
    return this.#position;
  }

  /** Pieces arrived, or the length became known: goes on up to the first missing piece. */
  advance(): void {
    if (this.#running || this.#ended) return;
    this.#running = true;
    this.#run().catch((error: unknown) => this.#fail(error));
  }

  /** Resolves with the hex digest once all content is there and hashed. @throws ERR_STORE_IO, ERR_STORE_CORRUPT */
  digest(): Promise<string> {
    this.advance();
    return this.#digest;
  }

  async #run(): Promise<void> {
    const buffer = BUFFERS.take();
    for (;;) {
      if (this.#ended) return;
      const count = this.#ready();
      if (count === 0) break;
      const part = buffer.subarray(0, Math.min(buffer.length, count));
      const read = await this.#task.read(part, this.#position);
      if (this.#ended) return;
      this.#hash.update(part.subarray(0, read));
      this.#position += read;
    }
    // At once, so that no `advance` falls between the last look and the end.
    this.#running = false;
    BUFFERS.give(buffer);
    if (this.#task.record.length === this.#position) this.#finish();
  }

  /** Bytes at the position that are there, up to a buffer of them. */
  #ready(): number {
    const { have, record } = this.#task;
    const first = Math.floor(this.#position / record.pieceLength);
    let next = first;
    while (have.has(next) && (next + 1) * record.pieceLength - this.#position < BUFFERS.bytes) next += 1;
    if (have.has(next)) next += 1;
    const end = Math.min(next * record.pieceLength, record.length ?? this.#knownEnd(next));
    return Math.max(0, end - this.#position);
  }

  /** While the length is unknown, a last piece that is short cannot be told from a whole one: it waits. */
  #knownEnd(next: number): number {
    const { have, record } = this.#task;
    return (have.has(next) ? next : Math.max(0, next - 1)) * record.pieceLength;
  }

  #finish(): void {
    this.#ended = true;
    this.#unlisten();
    this.#resolve(this.#hash.digest('hex'));
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unlisten();
    this.#reject(error);
  }
}
