import { z } from 'zod';
import { type HostId, isHostId, isSchedulerId, isTaskId, type SchedulerId, type TaskId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { isGeometry } from './piece.ts';

/*
 * Fields that messages share. Every message that crosses the bus is validated on arrival; the sender is a token of the
 * subject, never a field. Lists are bounded, so that nothing beyond a page is ever accepted.
 */

/** All details of one error together: who is told of it keeps it. */
const MOST_DETAIL_CHARS = 8_192;

export const uint = z.int().min(0);
export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not bytes');
export const hostId = z.custom<HostId>(
  (value) => typeof value === 'string' && isHostId(value),
  'not a host id',
);
export const schedulerId = z.custom<SchedulerId>(
  (value) => typeof value === 'string' && isSchedulerId(value),
  'not a scheduler id',
);
export const taskId = z.custom<TaskId>(
  (value) => typeof value === 'string' && isTaskId(value),
  'not a task id',
);
export const url = z.string().max(8192);
export const ip = z.string().min(2).max(64);
export const port = z.int().min(1).max(65535);
/** Index of a piece. */
export const piece = z.int().min(0).max(LIMITS.piecesPerTask);
/** One page of pieces. */
export const pieces = z.array(piece).max(16_384);
export const role = z.enum(['normal', 'seed']);
/** Where a host's data plane is. */
export const address = z.object({ hostId, ip, port });
/** A source as it is told to others: never with its credentials. */
export const source = z.object({ url, credentials: z.boolean() });
/** Where content is read: a registry host, or the name of a URL. */
export const place = z.string().min(1).max(512);
/** What the details of an error may be: nothing that takes more room when it is read than on the wire. */
const flat = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.string())]),
);
/** A ShoalError on the wire; details that are too much are left out. */
export const wireError = z.object({
  code: z.string().max(64),
  message: z.string().max(2000),
  retryable: z.boolean(),
  details: z
    .record(z.string(), z.unknown())
    .refine((details) => flat.safeParse(details).success)
    .refine((details) => JSON.stringify(details).length <= MOST_DETAIL_CHARS)
    .optional()
    .catch(undefined),
});

/** Bytes of a piece. */
export const pieceLength = z
  .int()
  .min(1)
  .max(64 * 1024 * 1024)
  .refine((value) => isGeometry({ pieceLength: value }), 'not a power of two');
/** Why a length and a piece length are refused together. */
export const TOO_MANY_PIECES = 'more pieces than a task may have';
/** A scheduler’s raw Ed25519 public key. */
export const schedulerKey = z.object({ id: z.string().max(64), publicKey: bytes });
