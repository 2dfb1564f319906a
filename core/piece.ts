import { LIMITS } from './limits.ts';

/**
 * Piece length in bytes: the smallest power of two that is at least length / 512, within 128 KiB and 16 MiB;
 * 4 MiB where the length is unknown.
 */
export function pieceLengthFor(lengthBytes: number | undefined): number {
  if (lengthBytes === undefined) return LIMITS.pieceUnknownLengthBytes;
  let piece: number = LIMITS.pieceMinBytes;
  while (piece < LIMITS.pieceMaxBytes && piece * 512 < lengthBytes) piece *= 2;
  return piece;
}

/** How content is cut: `length` bytes in pieces of `pieceLength`, only the last may be shorter. */
export interface Geometry {
  readonly length: number;
  readonly pieceLength: number;
}

export function pieceCount({ length, pieceLength }: Geometry): number {
  return Math.ceil(length / pieceLength);
}

/** Offset in bytes of a piece. */
export function pieceOffset(geometry: { readonly pieceLength: number }, index: number): number {
  return index * geometry.pieceLength;
}

/** Length in bytes of a piece: `pieceLength`, or what is left for the last one. */
export function pieceSize({ length, pieceLength }: Geometry, index: number): number {
  return Math.min(pieceLength, length - index * pieceLength);
}

/** Bytes of `count` adjacent pieces from `first`. */
export function runBytes(geometry: Geometry, first: number, count: number): number {
  const start = pieceOffset(geometry, first);
  return Math.min(geometry.length, start + count * geometry.pieceLength) - start;
}

/**
 * Whether content may be cut so, in bytes: pieces of a power of two, and no more of them than a task may have. What
 * is not known yet contradicts nothing.
 */
export function isGeometry(cut: {
  readonly length?: number | undefined;
  readonly pieceLength?: number | undefined;
}): boolean {
  const { length = 0, pieceLength } = cut;
  if (pieceLength === undefined) return true;
  if (!(pieceLength >= 1) || !Number.isInteger(Math.log2(pieceLength))) return false;
  return length >= 0 && length <= pieceLength * LIMITS.piecesPerTask;
}
