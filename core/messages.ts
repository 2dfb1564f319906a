import { z } from 'zod';
import { type HostId, isHostId, isTaskId, type TaskId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { isGeometry } from './piece.ts';

/*
 * Every message that crosses the bus, validated on arrival. The sender is a token of the subject, never a field.
 * Lists are bounded here, so that nothing beyond a page is ever accepted.
 */

const uint = z.int().min(0);
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not bytes');
const hostId = z.custom<HostId>((value) => typeof value === 'string' && isHostId(value), 'not a host id');
const taskId = z.custom<TaskId>((value) => typeof value === 'string' && isTaskId(value), 'not a task id');
const url = z.string().max(8192);
const ip = z.string().min(2).max(64);
const port = z.int().min(1).max(65535);
const piece = z.int().min(0).max(LIMITS.piecesPerTask);
const pieces = z.array(piece).max(16_384);
const role = z.enum(['normal', 'seed']);
const address = z.object({ hostId, ip, port });
const source = z.object({ url, credentials: z.boolean() });
const wireError = z.object({
  code: z.string().max(64),
  message: z.string().max(2000),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).optional(),
});

const pieceLength = z
  .int()
  .min(1)
  .max(64 * 1024 * 1024)
  .refine((value) => isGeometry({ pieceLength: value }), 'not a power of two');
const TOO_MANY_PIECES = 'more pieces than a task may have';
const schedulerKey = z.object({ id: z.string().max(64), publicKey: bytes });

/** Who may read cached content: everyone, or those whom the source lets in. */
export const audienceSchema = z.enum(['public', 'source']);
export type TaskAudience = z.infer<typeof audienceSchema>;

/** What a host says of itself every second. */
export const aliveSchema = z.object({
  incarnation: uint,
  ip,
  port,
  role,
  zone: z.string().max(128).optional(),
  version: z.string().max(64),
  /** Transfers running now, and the most that may. */
  uploading: uint,
  downloading: uint,
  slotsUp: uint,
  slotsDown: uint,
  cachedBytes: uint,
  cachedTasks: uint,
});
export type Alive = z.infer<typeof aliveSchema>;

export const announceRequestSchema = aliveSchema.extend({
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey: bytes.refine((key) => key.length === 32, 'an Ed25519 key has 32 bytes'),
});
export type AnnounceRequest = z.infer<typeof announceRequestSchema>;

export const announceReplySchema = z.object({
  /** Membership token, signed by the scheduler that answers. */
  token: z.string().max(4096),
  tokenExpiresAtMs: uint,
  schedulerKeys: z.array(schedulerKey).max(256),
  addressBook: z.array(address).max(LIMITS.addressBookHosts),
  epoch: uint,
  aliveEveryMs: uint,
});
export type AnnounceReply = z.infer<typeof announceReplySchema>;

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

const failure = z.object({
  first: piece,
  count: uint,
  parent,
  reason: failureReasonSchema,
  /** For `origin-*`: which source. */
  sourceUrl: url.optional(),
  error: wireError.optional(),
});
export type PieceFailure = z.infer<typeof failure>;

/** What the first answer of an origin told about the content. */
const probedSchema = z.object({
  length: uint.optional(),
  etag: z.string().max(1024).optional(),
  lastModified: z.string().max(64).optional(),
  /** Whether the origin gives ranges with a strong validator; otherwise one stream is read by one host. */
  ranges: z.boolean(),
  audience: audienceSchema,
  mediaType: z.string().max(256).optional(),
});
export type Probed = z.infer<typeof probedSchema>;

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
  sources: z.array(source).max(16),
  /** Whether this host may read the first of its sources itself. */
  mayReadOrigin: z.boolean(),
  /** Answer to a probe. */
  probed: probedSchema.optional(),
  failures: z.array(failure).max(256),
  /** Hashes of pieces read from an origin: 36 bytes each, piece as uint32 BE, then SHA-256. */
  hashes: bytes.optional(),
  /** Says that this host read without a lease, being adrift, and its hashes come from that. */
  adrift: z.boolean(),
  /** How far this host has read the scheduler's log of hashes, under `seen.epoch`. */
  hashCursor: uint,
  seen: z.object({ epoch: uint, number: uint }),
  /** The whole contradicts the digest; the `samples` asked for were read again and agree with the source, or not. */
  mismatch: z.object({ agreed: pieces, differed: pieces }).optional(),
  /** Bytes received so far by source, for `explain`. */
  received: z.object({ origin: uint, peers: uint, local: uint }),
  /** Bytes read from the origin, by reason. */
  originReasons: z.record(z.string().max(32), uint).optional(),
});
/** host → owning scheduler: all that a host has to say of a task it works on. */
export const syncRequestSchema = syncRequestFields.refine(isGeometry, TOO_MANY_PIECES);
export type SyncRequest = z.infer<typeof syncRequestSchema>;

/** The scheduler's word to a child: this run of adjacent pieces, from this parent. */
export const leaseSchema = z.object({
  first: piece,
  count: z.int().min(1).max(LIMITS.piecesPerTask),
  parent,
  /** For the origin: which source, as index into the reply's `sources`. */
  source: uint.optional(),
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
  /** Addresses of the parents named in `leases`, and a few more to know when adrift. */
  parents: z.array(address).max(256),
  /** Counts the claims dropped under this epoch: a larger one than known says that every piece held is wrong. */
  claim: uint,
  /** Pieces to read again from the source, since the whole contradicts the digest. */
  samples: pieces.optional(),
  /** Present where the host should read the origin's first bytes and tell what it learnt. */
  probe: z.boolean().optional(),
  /** From `hashFrom` in the scheduler's log of hashes: 36 bytes each; the next sync says how far it read. */
  hashFrom: uint,
  hashes: bytes.optional(),
  length: uint.optional(),
  pieceLength: pieceLength.optional(),
  sources: z.array(source).max(16),
  audience: audienceSchema,
  state: taskStateSchema,
  error: wireError.optional(),
  etag: z.string().max(1024).optional(),
  /** Whether origins give ranges with a strong validator. */
  ranges: z.boolean(),
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
  z.object({ status: z.literal('refused'), error: wireError }),
]);
export type SyncReply = z.infer<typeof syncReplySchema>;

export const resolveRequestSchema = z.object({
  incarnation: uint,
  /** Names the request through its retries, random. */
  ask: uint,
  url,
  credentials: z.boolean(),
  mayReadOrigin: z.boolean(),
  /** How old an answer of another host may be, ms; 0: not older than this request. */
  maxStaleMs: uint,
  /** What the origin told, from the host that was told to ask it. */
  outcome: z
    .discriminatedUnion('kind', [
      z.object({
        kind: z.literal('found'),
        taskId,
        probed: probedSchema,
        /** First bytes this host is reading from the origin right now, from 0; they are not leased again. */
        readingBytes: uint,
      }),
      z.object({ kind: z.literal('failed'), error: wireError }),
    ])
    .optional(),
});
export type ResolveRequest = z.infer<typeof resolveRequestSchema>;

export const resolveReplySchema = z.discriminatedUnion('status', [
  /** Ask the origin, with this validator where one is known, then send the outcome. */
  z.object({
    status: z.literal('ask-origin'),
    known: z
      .object({
        taskId,
        length: uint.optional(),
        etag: z.string().optional(),
        lastModified: z.string().optional(),
      })
      .optional(),
  }),
  z.object({ status: z.literal('wait'), afterMs: uint }),
  z.object({ status: z.literal('resolved'), taskId, probed: probedSchema }),
  z.object({ status: z.literal('failed'), error: wireError }),
]);
export type ResolveReply = z.infer<typeof resolveReplySchema>;

/** host → owner, at start and on a census: what it holds. */
export const holdsSchema = z.object({
  incarnation: uint,
  page: uint,
  pages: uint,
  tasks: z
    .array(
      z
        .object({
          taskId,
          /** Absent: the task is complete. */
          have: bytes.optional(),
          length: uint.optional(),
          pieceLength: pieceLength.optional(),
          audience: audienceSchema,
        })
        .refine(isGeometry, TOO_MANY_PIECES),
    )
    .max(4096),
  /** Tasks this host evicted. */
  gone: z.array(taskId).max(4096),
});
export type Holds = z.infer<typeof holdsSchema>;

export const censusSchema = z.object({
  epoch: uint,
  partitions: z.array(uint).max(64),
  schedulerKeys: z.array(schedulerKey).max(256),
});
export type Census = z.infer<typeof censusSchema>;

export const schedulerAliveSchema = z.object({
  epoch: uint,
  partitions: z.array(uint).max(64),
  tasks: uint,
  hosts: uint,
  version: z.string().max(64),
});
export type SchedulerAlive = z.infer<typeof schedulerAliveSchema>;

/** scheduler → host. */
export const leasesPushSchema = z.object({ taskId, set: leaseSetSchema });
export const evictSchema = z.object({ taskId, reason: z.string().max(500) });
export type Evict = z.infer<typeof evictSchema>;

/** The task log, one message for each kind and task. */
export const logCreatedSchema = z
  .object({
    epoch: uint,
    taskId,
    length: uint.optional(),
    pieceLength: pieceLength.optional(),
    sources: z.array(source).max(16),
    audience: audienceSchema,
    probed: probedSchema.optional(),
    atMs: uint,
  })
  .refine(isGeometry, TOO_MANY_PIECES);
export type LogCreated = z.infer<typeof logCreatedSchema>;

export const logManifestSchema = z.object({
  epoch: uint,
  /** 36 bytes each, as in `hashes`. Paged: page 0 is subject kind `manifest`, further ones `manifest-<n>`. */
  hashes: bytes,
  pages: uint,
});
export type LogManifest = z.infer<typeof logManifestSchema>;

export const logEndedSchema = z.object({ epoch: uint, atMs: uint, error: wireError.optional() });
export type LogEnded = z.infer<typeof logEndedSchema>;

export const deliverySchema = z.object({
  bytes: z.object({ origin: uint, peers: uint, local: uint }),
  durationMs: uint,
  atMs: uint,
});
export type Delivery = z.infer<typeof deliverySchema>;

export const querySchema = z.object({ taskId: taskId.optional(), op: z.enum(['list', 'show', 'remove']) });
export type Query = z.infer<typeof querySchema>;
