import type { Bitfield } from '../core/bitfield.ts';
import type { BufferPool } from '../core/buffer-pool.ts';
import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { Source } from '../core/source.ts';
import type { Loaded } from './backing.ts';
import { CheckedRead } from './checked-read.ts';
import { storeError } from './fs-errors.ts';
import { encodeRecord } from './piece-file.ts';
import { type OnPiece, PieceRunWriter } from './piece-run-writer.ts';
import { type Entry, type Shelf, slim } from './shelf.ts';
import type { CheckedReader, RunWriter, StoredTask, TaskRecord } from './store.ts';
import { WriteDesk } from './write-desk.ts';

const STREAM_BYTES = 256 * 1024;

/** A task over a backing, be that files or memory. */
export class BackedTask implements StoredTask {
  readonly #entry: Entry;
  readonly #shelf: Shelf;
  readonly #desk: WriteDesk;
  readonly #used: (entry: Entry) => void;
  readonly #loaded: Loaded;
  #meta: Loaded['meta'];
  #record: TaskRecord;

  /** @param used Called whenever content is read or written. */
  constructor(loaded: Loaded, entry: Entry, shelf: Shelf, used: (entry: Entry) => void) {
    this.#loaded = loaded;
    this.#meta = loaded.meta;
    this.#record = recordOf(loaded.meta);
    this.#entry = entry;
    this.#shelf = shelf;
    this.#used = used;
    this.#desk = new WriteDesk(loaded.table, loaded.backing, (bytes, position) =>
      this.#write(bytes, position),
    );
  }

  get record(): TaskRecord {
    return this.#record;
  }

  get have(): Bitfield {
    return this.#loaded.table.have;
  }

  get complete(): boolean {
    return this.#meta.sealed;
  }

  get path(): string {
    return this.#loaded.backing.path;
  }

  hash(piece: number): Uint8Array | undefined {
    return this.#loaded.table.hash(piece);
  }

  async setLength(length: number): Promise<void> {
    if (this.#meta.length === length) return;
    const { backing, table } = this.#loaded;
    if (this.#meta.length !== undefined) {
      throw new ShoalError('ERR_STORE_IO', `the length is ${this.#meta.length} bytes already, not ${length}`);
    }
    if (!Number.isSafeInteger(length) || length < 0 || length > table.pieceLength * LIMITS.piecesPerTask) {
      throw new ShoalError('ERR_STORE_IO', `a task cannot have ${length} bytes`);
    }
    this.#shelf.reserve(this.#entry, length);
    this.#save({ ...this.#meta, length });
    this.#guard('setting the length', 0, () => backing.truncate(length));
    table.setLength(length);
    this.#entry.storedBytes = table.storedBytes;
  }

  async amend(change: Parameters<StoredTask['amend']>[0]): Promise<void> {
    const sources = [...this.#meta.sources];
    const same = (a: Source, b: Source) => a.url === b.url && a.credentials === b.credentials;
    for (const source of change.sources ?? []) {
      if (!sources.some((known) => same(known, source))) sources.push({ ...source });
    }
    this.#save({
      ...this.#meta,
      sources,
      audience: change.audience ?? this.#meta.audience,
      etag: change.etag ?? this.#meta.etag,
      mediaType: change.mediaType ?? this.#meta.mediaType,
      encoding: change.encoding ?? this.#meta.encoding,
    });
  }

  writer(first: number, count: number, onPiece: OnPiece): RunWriter {
    this.#used(this.#entry);
    return new PieceRunWriter(this.#desk, first, count, onPiece);
  }

  commit(piece: number, hash: Uint8Array, length: number): void {
    const { backing, table } = this.#loaded;
    if (!table.fits(piece, length) || hash.length !== 32) {
      throw new ShoalError('ERR_STORE_IO', `piece ${piece} of ${length} bytes does not fit the task`);
    }
    const known = table.hash(piece);
    if (known !== undefined) {
      if (Buffer.compare(known, hash) === 0) return;
      throw new ShoalError('ERR_STORE_IO', `piece ${piece} is there with another hash`);
    }
    this.#desk.settle(piece, hash);
    const record = encodeRecord(piece, length, hash);
    this.#guard('recording a piece', record.length, () => backing.append(record));
    table.add({ piece, length, hash });
    this.#desk.settled(piece);
    this.#entry.storedBytes = table.storedBytes;
  }

  async drop(pieces: readonly number[]): Promise<void> {
    const { backing, table } = this.#loaded;
    for (const piece of pieces) this.#desk.settled(piece);
    const gone = pieces.filter((piece) => table.delete(piece));
    if (gone.length === 0) return;
    this.#entry.storedBytes = table.storedBytes;
    const unsealed = { ...this.#meta, sealed: false };
    const wasSealed = this.#meta.sealed;
    this.#adopt(unsealed);
    try {
      if (wasSealed) this.#save(unsealed);
      for (const piece of gone) backing.append(encodeRecord(piece, 0));
    } catch {
      // What cannot be taken back on disk must not come back: a restart finds no piece rather than a wrong one.
      this.#guard('taking pieces back', 0, () => backing.forget());
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    this.#used(this.#entry);
    return this.#read(buffer, position);
  }

  async recheck(pieces?: readonly number[]): Promise<number[]> {
    const reader = this.#checkedRead();
    const wrong: number[] = [];
    for (const piece of pieces ?? [...this.have.ones()]) {
      if (this.have.has(piece) && !(await reader.isRight(piece))) wrong.push(piece);
    }
    return wrong;
  }

  checked(): CheckedReader {
    return this.#checkedRead();
  }

  #checkedRead(): CheckedRead {
    return new CheckedRead(this.#loaded.table, async (buffer, position) => {
      this.#used(this.#entry);
      await this.#fill(buffer, position);
    });
  }

  async *stream(range: ByteRange, signal?: AbortSignal, buffers?: BufferPool): AsyncGenerator<Uint8Array> {
    const release = this.pin();
    const reader = this.checked();
    try {
      for (let at = range.start; at < range.end; ) {
        signal?.throwIfAborted();
        const length = Math.min(STREAM_BYTES, range.end - at);
        const buffer = buffers?.take(length) ?? Buffer.allocUnsafeSlow(length);
        const count = await reader.read(buffer, at);
        if (count === 0) throw new ShoalError('ERR_STORE_IO', `byte ${at} lies beyond the content`);
        at += count;
        yield count === buffer.length ? buffer : buffer.subarray(0, count);
      }
    } finally {
      release();
    }
  }

  async seal(): Promise<void> {
    if (this.#meta.sealed) return;
    if (this.#meta.length === undefined || !this.have.complete) {
      throw new ShoalError('ERR_STORE_IO', 'a task can be sealed only when every piece is there');
    }
    this.#save({ ...this.#meta, sealed: true });
  }

  pin(): () => void {
    return this.#shelf.pin(this.#entry);
  }

  async #read(buffer: Uint8Array, position: number): Promise<number> {
    const { table } = this.#loaded;
    const end = Math.min(position + buffer.length, table.length ?? Number.POSITIVE_INFINITY);
    if (end <= position) return 0;
    if (!table.covers(position, end)) {
      throw new ShoalError('ERR_STORE_IO', `bytes ${position} to ${end} are not all stored`);
    }
    const wanted = end - position;
    await this.#fill(buffer.subarray(0, wanted), position);
    return wanted;
  }

  async #fill(buffer: Uint8Array, position: number): Promise<void> {
    const { backing } = this.#loaded;
    for (let done = 0; done < buffer.length; ) {
      let count: number;
      try {
        count = await backing.read(buffer.subarray(done), position + done);
      } catch (error) {
        throw storeError(error, 'reading content');
      }
      if (count === 0) throw new ShoalError('ERR_STORE_CORRUPT', `the file ends at byte ${position + done}`);
      done += count;
    }
  }

  #write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.#entry.reservedBytes) this.#shelf.reserve(this.#entry, end);
    this.#guard('writing content', bytes.length, () => this.#loaded.backing.write(bytes, position));
  }

  #save(meta: Loaded['meta']): void {
    this.#guard('writing the meta', 0, () => this.#loaded.backing.saveMeta(meta));
    this.#adopt(meta);
    this.#loaded.backing.touch(this.#entry.lastUsedMs);
  }

  #adopt(meta: Loaded['meta']): void {
    this.#meta = meta;
    this.#record = recordOf(meta);
    this.#entry.meta = slim(meta);
  }

  #guard(doing: string, bytes: number, act: () => void): void {
    this.#shelf.onDisk(this.#entry, doing, bytes, act);
  }
}

function recordOf({
  version: _version,
  sealed: _sealed,
  bootId: _bootId,
  ...meta
}: Loaded['meta']): TaskRecord {
  return { ...meta, length: meta.length };
}
