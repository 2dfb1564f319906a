import { z } from 'zod';
import type { BufferPool } from './buffer-pool.ts';
import type { Claim } from './claim.ts';
import type { Digest, TaskId } from './ids.ts';
import { taskId } from './message-fields.ts';
import { type OriginReadReason, originReasonSchema } from './origin-reasons.ts';
import type { ByteRange } from './ranges.ts';
import { timeSpentSchema } from './time-spent.ts';

/* What a client asks a host for, and what it is told: the schemas are the form on the control socket. */

export const getRequestSchema = z.object({
  /** URL, digest or task id. */
  resource: z.string().min(1).max(8192),
  digest: z.string().max(200).optional(),
  /** Sent to the origin, and to nobody else. */
  headers: z.record(z.string(), z.string()).default({}),
  noOrigin: z.boolean().default(false),
  maxStaleMs: z.int().min(0).default(0),
  /** A Range header of one range: which bytes of the whole a stream gives. */
  range: z.string().max(64).optional(),
  /** Query parameters of the URL that neither name content nor grant access to it. */
  filteredQuery: z.array(z.string().min(1).max(200)).max(64).optional(),
});
/** What a client asks for over the control socket. */
export type GetRequest = z.infer<typeof getRequestSchema>;

/** Bytes to read, or a Range header of one range, which is read once the length is known. */
export type WantedRange = ByteRange | string;

/** Bytes [start, end) of content; without an end while the length is unknown. */
export interface ActualRange {
  readonly start: number;
  readonly end: number | undefined;
}

/** What a client wants. */
export interface DownloadRequest extends Readonly<Omit<GetRequest, 'range' | 'filteredQuery'>> {
  readonly filteredQuery?: readonly string[] | undefined;
  /** Which bytes of the whole a stream gives, cut to the length. */
  readonly range?: WantedRange | undefined;
  /**
   * Takes the place of the content's own audience: asked for beside the download, and no byte is given before it has
   * proven good. A refusal ends this request alone.
   */
  readonly claim?: Claim | undefined;
}

/** Bytes received, by where they came from. */
const bytesBySource = z.object({ origin: z.number(), peers: z.number(), local: z.number() });

const pieceHashes = z.object({
  /** Bytes of a piece; the last may be shorter. */
  bytes: z.int().min(1),
  /** SHA-256 of each piece in order, base64 of 32 bytes a piece. */
  hashes: z.string(),
});
/** What the pieces of a cached file must be, so that whoever copies it can prove the copy. */
export type PieceHashes = z.infer<typeof pieceHashes>;

const cached = z.object({
  path: z.string(),
  /** Another one than before: forget what was copied. */
  revision: z.string(),
  /** Bytes of a piece. */
  pieceBytes: z.number(),
  /** Bytes [start, end) verified since the progress before, whole pieces each. */
  fresh: z.array(z.tuple([z.number(), z.number()])),
});
/** What can be copied from a cached file that is still filling, so that little is left for the end. */
export type FreshBytes = z.infer<typeof cached>;

export const downloadProgressSchema = z.object({
  taskId: taskId.optional(),
  /** Unknown for a stream without a length. */
  length: z.number().optional(),
  /** Verified bytes. */
  doneBytes: z.number(),
  bytes: bytesBySource,
  /** Hosts bytes are coming from, or came from. */
  parents: z.number(),
  state: z.enum(['resolving', 'waiting', 'transferring', 'starved', 'adrift', 'verifying']),
  cached: cached.optional(),
});
/** How far a download is. */
export type DownloadProgress = z.infer<typeof downloadProgressSchema>;

export const downloadResultSchema = z.object({
  taskId,
  length: z.number(),
  /** The cached file; absent for content that is not public, which is only streamed. */
  path: z.string().optional(),
  /** As in the progress: what was copied from the file under this revision is right. */
  revision: z.string().optional(),
  /** With `path`; absent where they are too many for a message: the content has to be streamed then. */
  pieces: pieceHashes.optional(),
  /** Verified digest of the whole, where one was given. */
  digest: z.custom<Digest>((value) => typeof value === 'string').optional(),
  bytes: bytesBySource,
  originReasons: z.partialRecord(originReasonSchema, z.number()),
  parents: z.number(),
  durationMs: z.number(),
  /** What these ms went to. */
  time: timeSpentSchema,
  /** The longest time without a byte, ms. */
  longestGapMs: z.number(),
});
/** Where the content came from, and where it is now. */
export type DownloadResult = z.infer<typeof downloadResultSchema>;

/** What is known when the first byte of a stream is there. */
export interface StreamStart {
  readonly taskId: TaskId;
  /** Bytes of the whole content; undefined where its end alone will tell. */
  readonly length: number | undefined;
  readonly mediaType: string | undefined;
  /** Content-Encoding of the bytes, which are given as they were sent. */
  readonly encoding?: string | undefined;
  /** Strong; that of the source which gave it. */
  readonly etag: string | undefined;
  /** What will be given. */
  readonly range: ActualRange;
  /** `cache`: all of the content was here before. */
  readonly from: 'cache' | 'swarm';
  /** Why the origin is being read for it, where it is. */
  readonly originReason?: OriginReadReason | undefined;
}

/** What a stream tells beside its bytes. */
export interface StreamHooks {
  /** Called once, before the first byte, or before the end of what is empty. */
  readonly onStart?: (start: StreamStart) => void;
  /** Called once, after the last byte. */
  readonly onResult: (result: DownloadResult) => void;
  /** Where chunks are read into, each to be given back once it was sent; absent: each chunk has memory of its own. */
  readonly buffers?: BufferPool;
}
