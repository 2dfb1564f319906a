import type { ServerResponse } from 'node:http';
import { createBufferPool } from '../core/buffer-pool.ts';
import { ShoalError } from '../core/errors.ts';
import { onAbort } from '../core/on-abort.ts';

/** What bodies are read into, and given back to by `giveBody`. */
export const BODY_BUFFERS = createBufferPool(512 * 1024, 16);

/** Bytes in order; the limits on how long each may take are the giver's. */
export type Chunks = AsyncIterator<Uint8Array, unknown>;

/** What tells a content that is stuck from one that waits while the host is busy with others. */
export interface Busyness {
  /** Bytes that the host has received of all contents; grows while it is busy. */
  readonly received: () => number;
  /** How long a content may wait for others at most. */
  readonly busyMs: number;
}

/**
 * The next chunk, unless it takes too long: longer than `limitMs` with nothing coming to the host of anything, or than
 * `busyMs`. @throws ERR_TIMEOUT, and what the source throws
 */
export function nextWithin(
  chunks: Chunks,
  limitMs: number,
  busyness?: Busyness,
): Promise<IteratorResult<Uint8Array, unknown>> {
  return new Promise((resolve, reject) => {
    let waitedMs = 0;
    let received = busyness?.received();
    const late = () => {
      waitedMs += limitMs;
      const now = busyness?.received();
      if (busyness !== undefined && now !== received && waitedMs < busyness.busyMs) {
        received = now;
        timer = setTimeout(late, limitMs);
      } else reject(new ShoalError('ERR_TIMEOUT', `no byte came for ${waitedMs} ms`));
    };
    let timer = setTimeout(late, limitMs);
    chunks.next().then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error as Error);
      },
    );
  });
}

interface Giving {
  readonly response: ServerResponse;
  readonly first: IteratorResult<Uint8Array, unknown>;
  readonly chunks: Chunks;
  /** Bytes that were promised; absent where none was. */
  readonly length: number | undefined;
  readonly stallMs: number;
  readonly busyness?: Busyness;
  readonly onSent: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes a body as fast as the client takes it. Whatever goes wrong cuts the connection, so that a body that ends is a
 * whole one. @throws what the source throws, ERR_TIMEOUT, ERR_CANCELLED
 */
export async function giveBody(giving: Giving): Promise<void> {
  const { response, chunks, length, stallMs, busyness, onSent, signal } = giving;
  let sent = 0;
  try {
    for (let next = giving.first; next.done !== true; next = await nextWithin(chunks, stallMs, busyness)) {
      signal.throwIfAborted();
      sent += next.value.length;
      if (length !== undefined && sent > length) break;
      onSent(next.value.length);
      const { value } = next;
      const onWritten = (error?: Error | null) => {
        if (!error) BODY_BUFFERS.give(value);
      };
      if (!response.write(value, onWritten)) await drained(response, signal);
    }
    if (length !== undefined && sent !== length) {
      throw new ShoalError('ERR_INTERNAL', `${sent} bytes came in place of ${length}`);
    }
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      response.off('drain', onDrain);
      unlisten();
      settle();
    };
    const onDrain = () => done(resolve);
    if (signal.aborted) return reject(signal.reason as Error);
    response.on('drain', onDrain);
    const unlisten = onAbort(signal, () => done(() => reject(signal.reason as Error)));
  });
}
