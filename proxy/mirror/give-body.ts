import type { ServerResponse } from 'node:http';
import { ShoalError } from '../../core/errors.ts';

/** Bytes in order; the limits on how long each may take are the giver's. */
export type Chunks = AsyncIterator<Uint8Array, unknown>;

/** The next chunk, unless it takes too long. @throws ERR_TIMEOUT, and what the source throws */
export function nextWithin(chunks: Chunks, limitMs: number): Promise<IteratorResult<Uint8Array, unknown>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new ShoalError('ERR_TIMEOUT', `no byte came for ${limitMs} ms`)),
      limitMs,
    );
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
  readonly onSent: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes a body as fast as the client takes it. Whatever goes wrong cuts the connection, so that a body that ends is a
 * whole one. @throws what the source throws, ERR_TIMEOUT, ERR_CANCELLED
 */
export async function giveBody(giving: Giving): Promise<void> {
  const { response, chunks, length, stallMs, onSent, signal } = giving;
  let sent = 0;
  try {
    for (let next = giving.first; next.done !== true; next = await nextWithin(chunks, stallMs)) {
      signal.throwIfAborted();
      sent += next.value.length;
      if (length !== undefined && sent > length) break;
      onSent(next.value.length);
      if (!response.write(next.value)) await drained(response, signal);
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
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onDrain = () => done(resolve);
    const onAbort = () => done(() => reject(signal.reason as Error));
    if (signal.aborted) return onAbort();
    response.on('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
