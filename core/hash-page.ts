/** One piece's SHA-256. */
export interface PieceHash {
  readonly piece: number;
  /** 32 bytes; all zero withdraws an earlier one. */
  readonly hash: Uint8Array;
}

const ENTRY_BYTES = 36;

/** Packs hashes as they cross the bus: piece as uint32 BE, then 32 bytes, for each. */
export function packHashes(hashes: readonly PieceHash[]): Uint8Array {
  const packed = new Uint8Array(hashes.length * ENTRY_BYTES);
  const view = new DataView(packed.buffer);
  hashes.forEach(({ piece, hash }, index) => {
    view.setUint32(index * ENTRY_BYTES, piece);
    packed.set(hash, index * ENTRY_BYTES + 4);
  });
  return packed;
}

/** Undefined where the bytes are not whole entries. */
export function unpackHashes(packed: Uint8Array): PieceHash[] | undefined {
  if (packed.length % ENTRY_BYTES !== 0) return undefined;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const hashes: PieceHash[] = [];
  for (let at = 0; at < packed.length; at += ENTRY_BYTES) {
    hashes.push({ piece: view.getUint32(at), hash: packed.slice(at + 4, at + ENTRY_BYTES) });
  }
  return hashes;
}
