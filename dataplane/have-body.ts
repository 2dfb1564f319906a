import { Packr, Unpackr } from 'msgpackr';
import { z } from 'zod';
import { Bitfield } from '../core/bitfield.ts';
import { type PieceHash, packHashes, unpackHashes } from '../core/hash-page.ts';
import { LIMITS } from '../core/limits.ts';
import { place } from '../core/message-fields.ts';
import { pieceCount } from '../core/piece.ts';
import { audienceSchema } from '../core/probed.ts';
import type { HaveReply, ServedTask } from './data-plane.ts';

/** Largest body of `have`, in bytes: a full bitfield and every hash of the largest task. */
export const HAVE_BODY_BYTES = LIMITS.piecesPerTask * 36 + LIMITS.piecesPerTask / 8 + 1024;

const MAX_PIECE_BYTES = 64 * 1024 * 1024;
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

const bodySchema = z.object({
  length: z.int().min(0).optional(),
  pieceLength: z.int().min(1).max(MAX_PIECE_BYTES),
  pieces: z.int().min(0).max(LIMITS.piecesPerTask),
  have: z.instanceof(Uint8Array),
  hashes: z.instanceof(Uint8Array),
  audience: audienceSchema.default('source'),
  home: place.optional(),
});

/** What a parent holds of a task, as the body of `have`. */
export function encodeHave(task: ServedTask): Uint8Array {
  const hashes: PieceHash[] = [];
  for (const piece of task.have.ones()) {
    const hash = task.hash(piece);
    if (hash !== undefined) hashes.push({ piece, hash });
  }
  return packr.pack({
    ...(task.length === undefined ? {} : { length: task.length }),
    pieceLength: task.pieceLength,
    pieces: task.have.length,
    have: task.have.toBytes(),
    hashes: packHashes(hashes),
    audience: task.audience,
    ...(task.home === undefined ? {} : { home: task.home }),
  });
}

/** Undefined where the body is not one, or contradicts itself. */
export function decodeHave(body: Uint8Array): HaveReply | undefined {
  let value: unknown;
  try {
    value = unpackr.unpack(body);
  } catch {
    return undefined;
  }
  const parsed = bodySchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { length, pieceLength, pieces, audience, home } = parsed.data;
  if (length !== undefined && pieceCount({ length, pieceLength }) !== pieces) return undefined;
  if (parsed.data.have.length !== Math.ceil(pieces / 8)) return undefined;
  const have = new Bitfield(pieces, parsed.data.have);
  const hashes = unpackHashes(parsed.data.hashes);
  if (hashes === undefined || hashes.some(({ piece }) => !have.has(piece))) return undefined;
  return { length, pieceLength, have, hashes, audience, home };
}
