import type { BufferPool } from '../../core/buffer-pool.ts';
import type { ActualRange, WantedRange } from '../../core/download.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { type ByteRange, parseRange } from '../../core/ranges.ts';
import type { CheckedReader, StoredTask } from '../../storage/store.ts';
import type { PeerActor } from '../host/peer/peer.ts';
import { changed } from './completion.ts';
import type { Gate } from './gate.ts';

/** Read from disk at a time. */
const CHUNK_BYTES = 512 * 1024;

/** What is read of content of this length, bytes. @throws ERR_TASK_RANGE */
export function actualRange(wanted: WantedRange | undefined, length: number | undefined): ActualRange {
  if (wanted === undefined) return { start: 0, end: length };
  if (length === undefined) return typeof wanted === 'string' ? { start: 0, end: undefined } : open(wanted);
  const { start, end } = typeof wanted === 'string' ? headerRange(wanted, length) : wanted;
  const isRange = Number.isSafeInteger(start) && start >= 0 && end > start;
  if (isRange && start < length) return { start, end: Math.min(end, length) };
  throw new ShoalError('ERR_TASK_RANGE', `no such bytes: the content has ${length}`, { details: { length } });
}

/** What does not exist is an empty range, which is refused. */
function headerRange(header: string, length: number): ByteRange {
  const range = parseRange(header, length);
  if (range === 'whole') return { start: 0, end: length };
  return range === 'unsatisfiable' ? { start: length, end: length } : range;
}

/** The end may lie beyond the content, whose length is not known yet. */
function open({ start, end }: ByteRange): ActualRange {
  return { start, end: Number.isSafeInteger(end) ? end : undefined };
}

interface Reading {
  readonly peer: PeerActor;
  readonly gate: Gate;
  readonly range: WantedRange | undefined;
  /** Called once, before the first byte. */
  readonly onStart: (stored: StoredTask, range: ActualRange) => void;
  /** Resolves when the whole has proven right; the last bytes of a whole are held back until then. */
  readonly whole: () => Promise<void>;
  /** @see StreamHooks.buffers */
  readonly buffers: BufferPool | undefined;
}

/**
 * Content in order while its pieces arrive in any order. Only the piece that a waiting reader needs next is urgent, and
 * only when nothing is buffered for it. @throws any ShoalError
 */
export async function* readInOrder(reading: Reading): AsyncGenerator<Uint8Array> {
  const { peer, gate, range: wanted, onStart, whole, buffers } = reading;
  let position: number | undefined;
  let isStarted = false;
  let source: Source | undefined;
  const mended = new Map<number, number>();
  for (;;) {
    gate.signal.throwIfAborted();
    const { stored, length, pieceLength } = peer.content;
    if (stored === undefined || pieceLength === undefined) {
      if (typeof wanted === 'object') peer.starve(wanted.start);
      await changed(peer, gate.signal);
      continue;
    }
    const range = actualRange(wanted, length);
    position ??= range.start;
    const end = range.end ?? Number.POSITIVE_INFINITY;
    const ready = position >= end ? position : readyUntil(stored, position, end);
    if (stored.have.count > 0 || length === 0) void gate.pass(stored).catch(() => {});
    if (ready === position && position < end) {
      // The length of a stream may turn out to end right here.
      peer.starve(position);
      await changed(peer, gate.signal);
      continue;
    }
    await gate.pass(stored);
    if (peer.content.stored !== stored) continue;
    if (!isStarted) onStart(stored, range);
    isStarted = true;
    if (position >= end) return;
    const isWhole = range.start === 0 && ready === length;
    if (isWhole) await whole();
    if (peer.content.stored !== stored || !stored.have.has(Math.floor(position / pieceLength))) continue;
    if (source?.stored !== stored) source = { stored, reader: stored.checked() };
    let chunk: Uint8Array | undefined;
    try {
      chunk = await readChunk(source, { start: position, end: ready }, buffers);
    } catch (error) {
      await mend(peer, mended, error);
      source = undefined;
      continue;
    }
    if (chunk === undefined) {
      if (stored.record.length === undefined) await changed(peer, gate.signal);
      continue;
    }
    position += chunk.length;
    yield chunk;
  }
}

/** A disk that damages the same piece again and again is not read for ever. */
const MOST_MENDED = 3;

/** Has a damaged piece fetched anew. @throws the error, where it is another one or mending does not help */
async function mend(peer: PeerActor, mended: Map<number, number>, error: unknown): Promise<void> {
  const piece = damagedPiece(error);
  const times = piece === undefined ? MOST_MENDED : (mended.get(piece) ?? 0);
  if (piece === undefined || times >= MOST_MENDED) throw error;
  mended.set(piece, times + 1);
  await peer.damaged();
}

/** The piece whose bytes on disk are not what was recorded, where an error tells of one. */
export function damagedPiece(error: unknown): number | undefined {
  const { code, details } = toShoalError(error);
  const { piece } = details;
  return code === 'ERR_STORE_CORRUPT' && typeof piece === 'number' ? piece : undefined;
}

/** Where a reader's bytes are. */
interface Source {
  readonly stored: StoredTask;
  readonly reader: CheckedReader;
}

/** Undefined where a piece ended early, as the last of a stream does: its length is known in a moment. */
async function readChunk(
  { stored, reader }: Source,
  { start, end }: ByteRange,
  buffers: BufferPool | undefined,
): Promise<Uint8Array | undefined> {
  const isSized = stored.record.length !== undefined;
  const buffer = buffers?.take(end - start) ?? Buffer.allocUnsafeSlow(end - start);
  try {
    const read = await reader.read(buffer, start);
    return read === buffer.length ? buffer : buffer.subarray(0, read);
  } catch (error) {
    if (isSized || toShoalError(error).code !== 'ERR_STORE_IO') throw error;
    return undefined;
  }
}

/** Where the bytes end that can be read at once from here; `position` itself where the next one is missing. */
function readyUntil({ have, record }: StoredTask, position: number, end: number): number {
  const { pieceLength, length = Number.POSITIVE_INFINITY } = record;
  const most = Math.min(position + CHUNK_BYTES, end, length);
  let until = position;
  while (until < most) {
    const piece = Math.floor(until / pieceLength);
    if (!have.has(piece)) break;
    until = Math.min((piece + 1) * pieceLength, most);
  }
  return until;
}
