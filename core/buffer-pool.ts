/** Buffers of one size, used again and again. */
export interface BufferPool {
  readonly bytes: number;
  take(): Buffer;
  /** Only for a buffer that nothing reads or writes any more. */
  give(buffer: Buffer): void;
}

/** Keeps at most `keep` buffers of `bytes` for later. */
export function createBufferPool(bytes: number, keep: number): BufferPool {
  const free: Buffer[] = [];
  return {
    bytes,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(bytes),
    give(buffer) {
      if (free.length < keep) free.push(buffer);
    },
  };
}
