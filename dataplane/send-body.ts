import type { ServerResponse } from 'node:http';
import type { BufferPool } from '../core/buffer-pool.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { ServedTask } from './data-plane.ts';
import type { Limiter } from './limiter.ts';

/** Whether every piece that the range touches is verified. */
export function holdsRange(task: ServedTask, { start, end }: ByteRange): boolean {
  const first = Math.floor(start / task.pieceLength);
  const last = Math.floor((end - 1) / task.pieceLength);
  return last < task.have.length && task.have.hasRun(first, last - first + 1);
}

/**
 * Sends a range as the body of a response whose head is set, the next bytes read while the last ones are on their
 * way. Rejects where the reader went away, bytes cannot be read, or a piece was dropped meanwhile: the connection
 * has to be destroyed then.
 */
export async function sendBody(
  response: ServerResponse,
  task: ServedTask,
  range: ByteRange,
  means: {
    readonly pool: BufferPool;
    readonly limiter: Limiter | undefined;
    readonly onSent: (bytes: number) => void;
  },
): Promise<void> {
  const { pool, limiter } = means;
  const most = Math.min(pool.bytes, limiter?.quantumBytes ?? pool.bytes);
  const chunkAt = (position: number) => ({ start: position, end: Math.min(position + most, range.end) });
  const buffers: [Buffer, Buffer] = [pool.take(), pool.take()];

  let chunk = chunkAt(range.start);
  let bytes = await readChunk(task, buffers[0], chunk);
  for (let turn = 1; ; turn += 1) {
    await limiter?.take(bytes.length);
    // The store may have dropped a piece since it was read: its bytes are wrong.
    if (!holdsRange(task, chunk)) throw new Error('a piece was dropped while it was sent');
    if (chunk.end === range.end) {
      await write(response, bytes, true);
      means.onSent(bytes.length);
      break;
    }
    const next = chunkAt(chunk.end);
    const [, read] = await Promise.all([
      write(response, bytes, false),
      readChunk(task, buffers[turn % 2 === 0 ? 0 : 1], next),
    ]);
    means.onSent(bytes.length);
    chunk = next;
    bytes = read;
  }
  // Not after a failure: the kernel or the disk may still be at work on them.
  for (const buffer of buffers) pool.give(buffer);
}

async function readChunk(task: ServedTask, buffer: Buffer, { start, end }: ByteRange): Promise<Buffer> {
  const wanted = end - start;
  let filled = 0;
  while (filled < wanted) {
    const got = await task.read(buffer.subarray(filled, wanted), start + filled);
    if (got <= 0) throw new Error(`content ends at ${start + filled}, before ${end}`);
    filled += got;
  }
  return buffer.subarray(0, wanted);
}

/** Resolves when the kernel has the bytes; rejects when the connection closes first. */
function write(response: ServerResponse, bytes: Buffer, last: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('the reader went away'));
    if (response.destroyed || response.closed) return onClose();
    response.once('close', onClose);
    const onWritten = (error?: Error | null) => {
      response.off('close', onClose);
      if (error) reject(error);
      else resolve();
    };
    if (last) response.end(bytes, onWritten);
    else response.write(bytes, onWritten);
  });
}
