import type { ActualRange } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import type { StoredTask } from '../../storage/store.ts';

/**
 * What a reader was given so far. Where the content has to be read anew, the reader goes on only if that begins with
 * the same bytes: another validator may be that of another version, or of a back end that disagrees with the rest.
 */
export class Given {
  /** What was given came from here. */
  #stored: StoredTask | undefined;
  #release = () => {};
  #range: ActualRange = { start: 0, end: undefined };
  /** Where the reader is. */
  #end = 0;
  /** What is read now, and how far. */
  #read: StoredTask | undefined;
  #position = 0;
  #isOther = false;

  /** Whether what came anew was other content: then nothing helps this reader. */
  get isOther(): boolean {
    return this.#isOther;
  }

  /** A read begins; returns whether it is the first one. @throws ERR_TASK_CHANGED */
  begin(stored: StoredTask, range: ActualRange): boolean {
    const isFirst = this.#stored === undefined;
    if (isFirst) {
      this.#range = range;
      this.#end = range.start;
      this.#stored = stored;
    } else if (range.start !== this.#range.start || range.end !== this.#range.end) {
      throw this.#changed();
    }
    this.#read = stored;
    this.#position = range.start;
    return isFirst;
  }

  /** What the reader lacks of the chunk that comes next. @throws ERR_TASK_CHANGED, ERR_STORE_IO */
  async lacking(chunk: Uint8Array): Promise<Uint8Array> {
    const known = Math.min(chunk.length, this.#end - this.#position);
    if (known > 0) await this.#compare(chunk.subarray(0, known));
    this.#position += chunk.length;
    if (this.#position < this.#end) return chunk.subarray(known);
    this.#end = this.#position;
    this.#stored = this.#read;
    return chunk.subarray(known);
  }

  /** The content is read anew: what was given is kept to be compared. */
  hold(): void {
    this.#release();
    this.#release = this.#stored?.pin() ?? (() => {});
  }

  /** Nothing more is given. */
  close(): void {
    this.#release();
  }

  async #compare(chunk: Uint8Array): Promise<void> {
    const ours = Buffer.allocUnsafe(chunk.length);
    await this.#stored?.read(ours, this.#position);
    if (Buffer.compare(ours, chunk) !== 0) throw this.#changed();
  }

  #changed(): ShoalError {
    this.#isOther = true;
    return new ShoalError(
      'ERR_TASK_CHANGED',
      'the origin has other content now, and some of the old was given',
    );
  }
}
