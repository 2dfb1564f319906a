import type { Bitfield } from '../core/bitfield.ts';
import type { BufferPool } from '../core/buffer-pool.ts';
import type { TaskId } from '../core/ids.ts';
import type { TaskAudience } from '../core/probed.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { Source } from '../core/source.ts';

/** What is kept of a task beside its pieces. */
export interface TaskRecord {
  readonly taskId: TaskId;
  /** Bytes; unknown until the end of a stream without a length. */
  readonly length: number | undefined;
  readonly pieceLength: number;
  readonly audience: TaskAudience;
  /** The one place that all of it was read at; of content with a digest, once that is known. */
  readonly home?: string | undefined;
  readonly sources: readonly Source[];
  readonly etag?: string | undefined;
  readonly mediaType?: string | undefined;
  /** Content-Encoding of the bytes as they are kept. */
  readonly encoding?: string | undefined;
}

/** One line of a listing: cheap, made without opening the task. */
export interface StoredRow {
  readonly taskId: TaskId;
  readonly length: number | undefined;
  readonly pieceLength: number;
  readonly audience: TaskAudience;
  /**
   * Every piece is there, and the whole agreed with its digest where there is one. After another boot this is what
   * was recorded: `open` proves it, and takes back what is damaged.
   */
  readonly complete: boolean;
  /** Bytes of verified pieces. */
  readonly storedBytes: number;
  readonly lastUsedMs: number;
}

/**
 * Takes the bytes of a run of adjacent pieces in order, writes them in place and hashes each piece. Two may write the
 * same piece at once: whichever hash is committed, those are the bytes that stay. One that is given up is just dropped.
 */
export interface RunWriter {
  /**
   * The chunk is the caller's again when this returns, or when the promise it returns resolves. Bytes beyond the
   * run are refused. @throws ERR_STORE_FULL, ERR_STORE_IO
   */
  write(chunk: Uint8Array): void | Promise<void>;
  /** The stream ended here: the piece in progress, if it has bytes, ends too (content of unknown length). */
  end(): void | Promise<void>;
}

/** Reads for one client, and proves what it gives: each byte was hashed as part of its piece after it left the disk. */
export interface CheckedReader {
  /**
   * Gives content from `position` on, perhaps less than fits; returns how many bytes. The pieces must be there.
   * @throws ERR_STORE_IO, ERR_STORE_CORRUPT with the piece in its details
   */
  read(buffer: Uint8Array, position: number): Promise<number>;
}

/** One task on disk. A piece is there only when its record is: bytes first, then `commit`. */
export interface StoredTask {
  readonly record: TaskRecord;
  /**
   * Verified pieces; owned by the store, read only. While the length is unknown its own length is a capacity, and
   * another object takes its place as it grows: do not keep it.
   */
  readonly have: Bitfield;
  readonly complete: boolean;
  /** Where the bytes are, every piece at its own offset; elsewhere once the task is removed while pinned. */
  readonly path: string;
  /** SHA-256 of a stored piece, 32 bytes. */
  hash(piece: number): Uint8Array | undefined;
  /** Tells the length once it is known; the last piece may then be shorter. @throws ERR_STORE_IO */
  setLength(length: number): Promise<void>;
  /** Adds sources, or replaces the rest; what is there already is kept. */
  amend(change: {
    sources?: readonly Source[];
    audience?: TaskAudience;
    home?: string;
    etag?: string;
    mediaType?: string | undefined;
    encoding?: string | undefined;
  }): Promise<void>;
  /**
   * A writer for `count` pieces from `first`. `onPiece` is called as each piece's last byte is written, with its
   * SHA-256 and length; nothing is recorded until `commit`.
   */
  writer(
    first: number,
    count: number,
    onPiece: (piece: number, hash: Uint8Array, length: number) => void,
  ): RunWriter;
  /**
   * Records a written piece as present. Cheap and synchronous; survives kill -9. A piece that is there already stays.
   * @throws ERR_STORE_IO where the piece was not written with this hash, ERR_STORE_FULL
   */
  commit(piece: number, hash: Uint8Array, length: number): void;
  /** Reads these pieces again, or all; returns those that are not on disk as they were recorded. @throws ERR_STORE_IO */
  recheck(pieces?: readonly number[]): Promise<number[]>;
  /** Takes pieces back, for good: they proved wrong. */
  drop(pieces: readonly number[]): Promise<void>;
  /** Fills `buffer` with content from `position`, unproven; the pieces must be there. Returns bytes read. @throws ERR_STORE_IO, ERR_STORE_CORRUPT */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** A reader of its own for whoever gives the content to a client. */
  checked(): CheckedReader;
  /**
   * Bytes of a range in order, checked and read into `buffers` where there are any; every piece of it must be there. Marks the task
   * as used. @throws ERR_STORE_CORRUPT with the piece in its details
   */
  stream(range: ByteRange, signal?: AbortSignal, buffers?: BufferPool): AsyncIterable<Uint8Array>;
  /** Marks all pieces present and, where there is a digest, the whole compared. @throws ERR_STORE_IO */
  seal(): Promise<void>;
  /** Spares the task from eviction until the release is called (once). */
  pin(): () => void;
}

/** All content of one host. */
export interface Store {
  /** Absent where nothing of the task is kept. Opening reads its piece records. */
  open(taskId: TaskId): Promise<StoredTask | undefined>;
  /** As `open`, but no use of the task: it stays where it is in line for eviction. */
  look(taskId: TaskId): Promise<StoredTask | undefined>;
  /** Opens the task, or starts it. Reserves its space by accounting. @throws ERR_STORE_FULL, ERR_STORE_IO */
  create(record: TaskRecord): Promise<StoredTask>;
  row(taskId: TaskId): StoredRow | undefined;
  rows(): Iterable<StoredRow>;
  /** Removes a task; pinned ones are removed when released. */
  remove(taskId: TaskId): Promise<void>;
  /**
   * Spares these tasks from eviction until a wall-clock ms, in the place of what was kept under that name; also after a
   * restart. @throws ERR_STORE_IO
   */
  keep(name: string, taskIds: readonly TaskId[], untilMs: number): void;
  /** What was kept under that name is kept for its sake no more. */
  release(name: string): void;
  isKept(taskId: TaskId): boolean;
  readonly usage: { readonly bytes: number; readonly tasks: number; readonly quotaBytes: number };
  /** Called for each task evicted to make room. */
  onEvicted(listener: (taskId: TaskId) => void): void;
  close(): Promise<void>;
}
