import { z } from 'zod';
import { deliverySchema, reasonCounts } from './delivery.ts';
import type { HostId } from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  address,
  bytes,
  hostId,
  piece,
  pieceLength,
  pieces,
  place,
  source,
  TOO_MANY_PIECES,
  taskId,
  uint,
  wireError,
} from './message-fields.ts';
import { isGeometry } from './piece.ts';
import { audienceSchema, probedSchema } from './probed.ts';
import type { Run } from './run.ts';

/** Why a piece did not arrive. */
export const failureReasonSchema = z.enum([
  'busy',
  'missing',
  'unreachable',
  'stalled',
  'corrupt',
  'denied',
  'protocol',
  'origin-status',
  'origin-changed',
  'origin-unavailable',
  'store',
]);
export type FailureReason = z.infer<typeof failureReasonSchema>;

/** `origin` is one more parent to the scheduler. */
const parent = z.union([hostId, z.literal('origin')]);
export type Parent = HostId | 'origin';

/** A parent as messages and events name it. */
export function parentName(from: Run['from']): Parent {
  return from === 'origin' ? 'origin' : from.hostId;
}

const failure = z.object({
  first: piece,
  count: uint,
  parent,
  reason: failureReasonSchema,
  error: wireError.optional(),
});
export type PieceFailure = z.infer<typeof failure>;

const syncRequestFields = z.object({
  incarnation: uint,
  seq: uint,
  /** The sync that `added` is relative to; 0: `have` is everything. */
  base: uint,
  have: bytes.optional(),
  added: pieces,
  /** Geometry as the host knows it. */
  length: uint.optional(),
  pieceLength: pieceLength.optional(),
  /** Pieces being transferred, and pieces leased and waiting. */
  running: pieces,
  queued: pieces,
  /** Leases the host can take beyond those it has. */
  freeSlots: uint,
  /** Measured rate of one transfer, bytes a second; 0 while unknown. */
  transferBytesPerSec: z.number().min(0),
  /** The one piece a reader starves for. */
  urgent: piece.optional(),
  /** Wants pieces at all; a complete or passive peer says false. */
  wants: z.boolean(),
  /** All that it knows, where the scheduler has not acknowledged all of them; else none. */
  sources: z.array(source).max(16),
  /** Where what this host has was read, or where it would read it; of content with a digest. */
  home: place.optional(),
  /** Who may have what this host has; absent where it has nothing. */
  audience: audienceSchema.optional(),
  /** Whether this host may read the first of its sources itself. */
  mayReadOrigin: z.boolean(),
  /** Answer to a probe. */
  probed: probedSchema.optional(),
  failures: z.array(failure).max(256),
  /** Suspected pieces that were hashed again on disk; those that were wrong are gone from `have`. */
  rechecked: pieces.optional(),
  /** Hashes of pieces read from an origin: 36 bytes each, piece as uint32 BE, then SHA-256. */
  hashes: bytes.optional(),
  /** Says that this host reads without leases: for those who look on, it proves nothing. */
  adrift: z.boolean(),
  /** How far this host has read the scheduler's log of hashes, under `seen.epoch`. */
  hashCursor: uint,
  seen: z.object({ epoch: uint, number: uint }),
  /** The larger epoch that this host goes by, where it refused the last set as one of an older: claim one above it. */
  fencedBy: uint.optional(),
  /** The whole contradicts the digest; the `samples` asked for were read again and agree with the source, or not. */
  mismatch: z.object({ agreed: pieces, differed: pieces }).optional(),
  /** Bytes received so far by source, for `explain`. */
  received: z.object({ origin: uint, peers: uint, local: uint }),
  /** Bytes read from the origin, by reason. */
  originReasons: reasonCounts.optional(),
  /** How long the host waits for the answer; what is read later is not answered. */
  patienceMs: uint.optional(),
  /** How the content came here, once that is over. */
  delivery: deliverySchema.optional(),
});
/** host → owning scheduler: all that a host has to say of a task it works on. */
export const syncRequestSchema = syncRequestFields.refine(isGeometry, TOO_MANY_PIECES);
export type SyncRequest = z.infer<typeof syncRequestSchema>;

/** The scheduler's word to a child: this run of adjacent pieces, from this parent. */
export const leaseSchema = z.object({
  first: piece,
  count: z.int().min(1).max(LIMITS.piecesPerTask),
  parent,
  /** A second transfer of a piece that is already in flight. */
  hedge: z.boolean().optional(),
});
export type Lease = z.infer<typeof leaseSchema>;

export const taskStateSchema = z.enum(['pending', 'resolving', 'distributing', 'idle', 'retired', 'failed']);
export type TaskState = z.infer<typeof taskStateSchema>;

const leaseSetFields = z.object({
  epoch: uint,
  number: uint,
  leases: z.array(leaseSchema).max(1024),
  /** How many leases of the origin may run at once; the others wait. */
  originAtOnce: z.int().min(1).max(64),
  /** Addresses of the parents named in `leases`, and now and then a few more to know when adrift. */
  parents: z.array(address).max(256),
  /** Counts the claims dropped under this epoch: a larger one than known says that every piece held is wrong. */
  claim: uint,
  /** Pieces to read again from the source, since the whole contradicts the digest. */
  samples: pieces.optional(),
  /** Pieces that this host holds and a child got wrong from it: to be hashed again on disk. */
  suspects: pieces.optional(),
  /** Present where the host should read the origin's first bytes and tell what it learnt. */
  probe: z.boolean().optional(),
  /** From `hashFrom` in the scheduler's log of hashes: 36 bytes each; the next sync says how far it read. */
  hashFrom: uint,
  hashes: bytes.optional(),
  length: uint.optional(),
  pieceLength: pieceLength.optional(),
  sources: z.array(source).max(16),
  audience: audienceSchema,
  /** The one place that all hashes are from; of content with a digest, once it is known. */
  home: place.optional(),
  state: taskStateSchema,
  error: wireError.optional(),
  etag: z.string().max(1024).optional(),
  /** Whether origins give ranges with a strong validator; absent: nobody has asked one yet. */
  ranges: z.boolean().optional(),
  mediaType: z.string().max(256).optional(),
});
/** The whole set of a host's current leases in a task; also pushed to an idle child. */
export const leaseSetSchema = leaseSetFields.refine(isGeometry, TOO_MANY_PIECES);
export type LeaseSet = z.infer<typeof leaseSetSchema>;

export const syncReplySchema = z.discriminatedUnion('status', [
  leaseSetFields
    .extend({ status: z.literal('ok'), seq: uint, intervalMs: uint })
    .refine(isGeometry, TOO_MANY_PIECES),
  /** The base is unknown here: send everything. */
  z.object({ status: z.literal('full'), epoch: uint }),
]);
export type SyncReply = z.infer<typeof syncReplySchema>;

/** scheduler → host: a set that the host did not ask for. */
export const leasesPushSchema = z.object({ taskId, set: leaseSetSchema });
