/** Buffers for bytes that are on their way to somebody: whoever has sent them gives the buffer back. */
export interface Loans {
  /** A buffer of `length` bytes. */
  take(length: number): Buffer;
  /** Takes back what was lent, once; anything else is left alone. Nothing may read or write it any more. */
  giveBack(view: Uint8Array): void;
}

/**
 * Keeps at most `keep` buffers of `bytes`. Memory outside the heap, made anew for each chunk, has the collector run all
 * the time; what is short is not worth keeping.
 */
export function createLoans(bytes: number, keep: number): Loans {
  const free: ArrayBuffer[] = [];
  const lent = new WeakSet<ArrayBufferLike>();
  return {
    take(length) {
      if (length > bytes || length < bytes / 8) return Buffer.allocUnsafeSlow(length);
      const memory = free.pop() ?? new ArrayBuffer(bytes);
      lent.add(memory);
      return Buffer.from(memory, 0, length);
    },
    giveBack({ buffer }) {
      if (!lent.delete(buffer) || free.length >= keep) return;
      free.push(buffer as ArrayBuffer);
    },
  };
}
