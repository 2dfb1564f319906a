import { LIMITS } from '../../core/limits.ts';
import { pieceCount, pieceLengthFor } from '../../core/piece.ts';
import type { Probed } from '../../core/probed.ts';
import type { SyncRequest } from '../../core/sync-messages.ts';

const HASH_ENTRY_BYTES = 36;

/** How many pieces a scheduler keeps account of where it believes what a host says of a task. */
export function claimedPieces(request: SyncRequest): number {
  const { length, pieceLength, have, added, running, hashes, probed } = request;
  let pieces = have === undefined ? 0 : have.length * 8;
  for (const list of [added, running]) for (const piece of list) pieces = Math.max(pieces, piece + 1);
  if (length !== undefined && pieceLength !== undefined) {
    pieces = Math.max(pieces, pieceCount({ length, pieceLength }));
  }
  if (probed !== undefined) pieces = Math.max(pieces, probedPieces(probed));
  if (hashes !== undefined) {
    const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    for (let at = 0; at + HASH_ENTRY_BYTES <= hashes.length; at += HASH_ENTRY_BYTES) {
      pieces = Math.max(pieces, view.getUint32(at) + 1);
    }
  }
  return Math.min(pieces, LIMITS.piecesPerTask);
}

/** The same of what an origin is said to have answered. */
export function probedPieces({ length }: Probed): number {
  if (length === undefined) return 0;
  return Math.min(pieceCount({ length, pieceLength: pieceLengthFor(length) }), LIMITS.piecesPerTask);
}
