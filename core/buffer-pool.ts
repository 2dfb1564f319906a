/** Buffers used again and again: memory outside the heap, made anew each time, has the collector run all the time. */
export interface BufferPool {
  /** What its buffers hold at most. */
  readonly bytes: number;
  /** A buffer of `length` bytes, or of all; what is much shorter or longer has memory of its own. */
  take(length?: number): Buffer;
  /**
   * Takes back a buffer, or any part of it, once; what did not come from here is left alone. Nothing may read or write it
   * any more.
   */
  give(view: Uint8Array): void;
}

/** Keeps at most `keep` buffers of `bytes` for later. */
export function createBufferPool(bytes: number, keep: number): BufferPool {
  const free: ArrayBuffer[] = [];
  const lent = new WeakSet<ArrayBufferLike>();
  return {
    bytes,
    take(length = bytes) {
      if (length > bytes || length < bytes / 8) return Buffer.allocUnsafeSlow(length);
      const memory = free.pop() ?? new ArrayBuffer(bytes);
      lent.add(memory);
      return Buffer.from(memory, 0, length);
    },
    give({ buffer }) {
      if (lent.delete(buffer) && free.length < keep) free.push(buffer as ArrayBuffer);
    },
  };
}
