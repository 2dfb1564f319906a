import type { Bitfield } from '../core/bitfield.ts';
import type { PieceHash } from '../core/hash-page.ts';
import type { HostAddress } from '../core/host.ts';
import type { HostId, TaskId } from '../core/ids.ts';
import type { TaskAudience } from '../core/probed.ts';
import type { ByteRange } from '../core/ranges.ts';

/** Takes bytes in order. The chunk is the caller's again when this returns, or its promise resolves. */
export type ByteSink = (chunk: Uint8Array) => void | Promise<void>;

/** What a parent says it holds of a task. */
export interface HaveReply {
  readonly length: number | undefined;
  readonly pieceLength: number;
  readonly have: Bitfield;
  readonly hashes: readonly PieceHash[];
  /** Who may be given it; `source` where the parent does not say. */
  readonly audience: TaskAudience;
  /** The one place that it was read at; of content with a digest. */
  readonly home?: string | undefined;
}

/** Content at another host. */
export interface ContentRequest {
  readonly parent: HostAddress;
  readonly taskId: TaskId;
  /** Whether all the world may have it, as far as is known: then it may cross the network in clear. */
  readonly isPublic: boolean;
}

/** Which bytes between hosts are encrypted: those that are not public, all, or none unless the parent wants it. */
export type DataTls = 'private' | 'all' | 'off';

/** The child's side: bytes from other hosts. */
export interface DataPlane {
  /**
   * Reads exactly `range` of a task from a parent into `sink`.
   * @throws ERR_PEER_UNAVAILABLE, ERR_PEER_BUSY (503), ERR_PEER_MISSING (404), ERR_PEER_STALLED, ERR_PEER_PROTOCOL,
   *   ERR_AUTH_DENIED (401), ERR_AUTH_KEY_UNKNOWN (425), ERR_CANCELLED, and whatever the sink throws
   */
  fetch(
    request: ContentRequest & { readonly range: ByteRange },
    sink: ByteSink,
    signal: AbortSignal,
  ): Promise<void>;
  /** @throws as `fetch` */
  have(request: ContentRequest, signal: AbortSignal): Promise<HaveReply>;
  close(): Promise<void>;
}

/** What the server of ranges may give away of one task. */
export interface ServedTask {
  readonly length: number | undefined;
  readonly pieceLength: number;
  readonly have: Bitfield;
  /** Who may be given it. */
  readonly audience: TaskAudience;
  /** The one place that it was read at; of content with a digest. */
  readonly home?: string | undefined;
  hash(piece: number): Uint8Array | undefined;
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Spares the task from eviction while it is read. */
  pin(): () => void;
}

/** Where the server of ranges finds tasks; absent: 404. */
export type FindTask = (taskId: TaskId) => Promise<ServedTask | undefined>;

/** The parent's side, listening. */
export interface RangeServer {
  readonly port: number;
  /** Transfers running now. */
  readonly uploading: number;
  readonly slots: number;
  /** Body bytes sent since the start. */
  readonly sentBytes: number;
  close(): Promise<void>;
}

/** What the parent's admission says of a request's credentials. */
export type Admission =
  | { readonly kind: 'admitted'; readonly hostId: HostId }
  | { readonly kind: 'denied'; readonly why: string }
  /** Signed by a scheduler key that is not known here (425). */
  | { readonly kind: 'key-unknown'; readonly keyId: string };
