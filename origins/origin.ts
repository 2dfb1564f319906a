import type { Probed } from '../core/probed.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { Validator } from '../core/source.ts';

/** Takes bytes in order. The chunk is the caller's again when this returns, or its promise resolves. */
export type OriginSink = (chunk: Uint8Array) => void | Promise<void>;

/** Where and how to ask: `headers` carry the credentials of the one who asked, and nothing else of Shoal. */
export interface OriginRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A body whose headers have been read and whose bytes have not. Must be pumped or discarded. */
export interface OpenBody {
  /** Offset of its first byte in the content. */
  readonly start: number;
  /** Where it ends; unknown for a stream without length. */
  readonly end: number | undefined;
  /** Resolves at the end of the body with the bytes passed on. A cut body rejects. @throws ERR_SOURCE_* */
  pump(sink: OriginSink, signal: AbortSignal): Promise<number>;
  /** Closes the connection; nothing more is read. */
  discard(): void;
}

/** The first answer of an origin. */
export type ProbeAnswer =
  /** The validator that was sent still holds; no body. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'content'; readonly probed: Probed; readonly body: OpenBody };

/** Reading content from outside. Addresses are checked after resolution and after every redirect. */
export interface Origin {
  /**
   * GET of the first `prefixBytes` (`Range: bytes=0-`), conditional where `known` is given. Answers as soon as the
   * headers are there. A 200 in place of a 206 is the whole as one stream.
   * @throws ERR_SOURCE_NOT_FOUND (404, 410), ERR_SOURCE_REFUSED (401, 403, 451), ERR_SOURCE_STATUS (other 4xx),
   *   ERR_SOURCE_UNAVAILABLE (5xx, no connection; after its budget of retries), ERR_SOURCE_ADDRESS_REFUSED,
   *   ERR_SOURCE_TLS, ERR_SOURCE_PROTOCOL; `details.status` and `details.headers` carry the origin's own
   */
  probe(
    request: OriginRequest & { readonly known?: Validator | undefined; readonly prefixBytes: number },
    signal: AbortSignal,
  ): Promise<ProbeAnswer>;
  /**
   * Reads exactly `range` into `sink`, going on by range after a cut. Every 206 must repeat `expect`. A whole in place of
   * a range is read up to its end; with `partsOnly` it is refused, as by an origin that has no ranges (`isRangeless`).
   * @throws as `probe`, and ERR_TASK_CHANGED where the validator or the length is another
   */
  read(
    request: OriginRequest & {
      readonly range: ByteRange;
      readonly expect: Validator & { readonly length: number | undefined };
      readonly partsOnly?: boolean;
    },
    sink: OriginSink,
    signal: AbortSignal,
  ): Promise<void>;
  /** Whether this host may read the URL at all, as far as its name tells (addresses are checked when it is read). */
  allows(url: string): boolean;
  close(): Promise<void>;
}
