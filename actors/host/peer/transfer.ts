import { createHash } from 'node:crypto';
import { type ErrorCode, ShoalError, toShoalError } from '../../../core/errors.ts';
import type { HostAddress } from '../../../core/host.ts';
import { pieceOffset, runBytes } from '../../../core/piece.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { OpenBody, OriginRequest } from '../../../origins/origin.ts';
import { PieceSink } from '../piece/sink.ts';
import type { HostWorld } from '../world.ts';
import type { PeerContent } from './content.ts';

/** A run of pieces to read from somewhere. */
export interface Run {
  readonly first: number;
  readonly count: number;
  readonly from: HostAddress | 'origin';
  readonly hedge: boolean;
}

/** How a transfer ended. */
export interface TransferEnd {
  readonly run: Run;
  readonly bytes: number;
  readonly durationMs: number;
  readonly failure: { readonly reason: FailureReason; readonly error: ShoalError } | undefined;
}

interface TransferContext {
  readonly world: HostWorld;
  readonly content: PeerContent;
  /** How to ask the origin, with the credentials of the one who wants the content. */
  readonly originRequest: () => OriginRequest;
  readonly onBytes: (bytes: number, from: HostAddress | 'origin') => void;
  /** Takes a piece from the transfer that writes it, for a duplicate that was faster. */
  readonly seize: (piece: number) => Promise<void>;
  readonly onStored: (piece: number, hash: Uint8Array, length: number, from: HostAddress | 'origin') => void;
}

const REASONS: Partial<Record<ErrorCode, FailureReason>> = {
  ERR_PEER_BUSY: 'busy',
  ERR_PEER_MISSING: 'missing',
  ERR_PEER_UNAVAILABLE: 'unreachable',
  ERR_PEER_STALLED: 'stalled',
  ERR_PEER_PROTOCOL: 'protocol',
  ERR_PIECE_CORRUPT: 'corrupt',
  ERR_AUTH_DENIED: 'denied',
  // The parent is looking the key up: try again, blame nobody.
  ERR_AUTH_KEY_UNKNOWN: 'busy',
  ERR_TASK_CHANGED: 'origin-changed',
  ERR_SOURCE_UNAVAILABLE: 'origin-unavailable',
  ERR_SOURCE_TLS: 'origin-unavailable',
  ERR_SOURCE_NOT_FOUND: 'origin-status',
  ERR_SOURCE_REFUSED: 'origin-status',
  ERR_SOURCE_STATUS: 'origin-status',
  ERR_SOURCE_ADDRESS_REFUSED: 'origin-status',
  ERR_SOURCE_PROTOCOL: 'origin-unavailable',
  ERR_STORE_FULL: 'store',
  ERR_STORE_IO: 'store',
};

/** Reads one run of pieces from a parent or an origin, and ends with a verdict; never rejects. */
export class Transfer {
  readonly run: Run;
  readonly startedMs: number;
  readonly #context: TransferContext;
  readonly #abort = new AbortController();
  #bytes = 0;
  /** Resolves when nothing of this transfer runs any more, and nothing of it will be written. */
  readonly ended: Promise<TransferEnd>;

  constructor(context: TransferContext, run: Run, opened?: OpenBody) {
    this.run = run;
    this.#context = context;
    this.startedMs = context.world.clock.now();
    this.ended = this.#go(opened);
  }

  abort(): void {
    this.#abort.abort(new ShoalError('ERR_CANCELLED', 'the transfer is not needed any more'));
  }

  get aborted(): boolean {
    return this.#abort.signal.aborted;
  }

  async #go(opened: OpenBody | undefined): Promise<TransferEnd> {
    const { world } = this.#context;
    let failure: TransferEnd['failure'];
    let sink: PieceSink | undefined;
    try {
      sink = this.#sink();
      if (this.run.from === 'origin') await this.#fromOrigin(sink, opened);
      else if (this.run.hedge) await this.#hedge(sink, this.run.from);
      else await this.#fromHost(sink, this.run.from);
    } catch (thrown) {
      opened?.discard();
      const error = toShoalError(thrown);
      if (!this.aborted) failure = { reason: REASONS[error.code] ?? 'protocol', error };
    }
    sink?.abandon(failure?.reason === 'store' ? 'store' : 'unreachable');
    return { run: this.run, bytes: this.#bytes, durationMs: world.clock.now() - this.startedMs, failure };
  }

  #sink(): PieceSink {
    const { content, onBytes, onStored } = this.#context;
    const { first, count, from } = this.run;
    const { stored, pieceLength } = content;
    if (stored === undefined || pieceLength === undefined) {
      throw new ShoalError('ERR_INTERNAL', 'a transfer was started before its task was known');
    }
    return new PieceSink({
      content,
      stored,
      pieceLength,
      parent: from === 'origin' ? 'origin' : from.hostId,
      first,
      count,
      onBytes: (bytes) => {
        this.#bytes += bytes;
        onBytes(bytes, from);
      },
      onStored: (piece, hash, length) => onStored(piece, hash, length, from),
    });
  }

  /** Bytes [start, end) of the run. */
  #range(): { start: number; end: number } {
    const { length, pieceLength } = this.#context.content;
    const { first, count } = this.run;
    if (pieceLength === undefined) throw new ShoalError('ERR_INTERNAL', 'piece length unknown');
    const start = pieceOffset({ pieceLength }, first);
    const geometry = { length: length ?? start + count * pieceLength, pieceLength };
    return { start, end: start + runBytes(geometry, first, count) };
  }

  async #fromHost(sink: PieceSink, parent: HostAddress): Promise<void> {
    const { world, content } = this.#context;
    for (let piece = this.run.first; piece < this.run.first + this.run.count; piece += 1) {
      if (content.expected(piece) === undefined) {
        throw new ShoalError('ERR_PIECE_HASH_UNKNOWN', `the hash of piece ${piece} is not known here`);
      }
    }
    const request = { parent, taskId: content.taskId, range: this.#range() };
    await world.dataPlane.fetch(request, (chunk) => sink.write(chunk), this.#abort.signal);
  }

  /**
   * A duplicate of a piece in flight is held in memory until it has proven right: two transfers never write the
   * same place.
   */
  async #hedge(sink: PieceSink, parent: HostAddress): Promise<void> {
    const { world, content, seize } = this.#context;
    const range = this.#range();
    const buffer = Buffer.allocUnsafe(range.end - range.start);
    let at = 0;
    const request = { parent, taskId: content.taskId, range };
    await world.dataPlane.fetch(
      request,
      (chunk) => {
        buffer.set(chunk, at);
        at += chunk.length;
      },
      this.#abort.signal,
    );
    const hash = createHash('sha256').update(buffer).digest();
    if (content.expected(this.run.first)?.every((byte, index) => byte === hash[index]) !== true) {
      throw new ShoalError(
        'ERR_PIECE_CORRUPT',
        `piece ${this.run.first} from ${parent.hostId} has another hash`,
      );
    }
    await seize(this.run.first);
    this.#abort.signal.throwIfAborted();
    await sink.write(buffer);
  }

  async #fromOrigin(sink: PieceSink, opened: OpenBody | undefined): Promise<void> {
    const { world, content, originRequest } = this.#context;
    const { signal } = this.#abort;
    const request = originRequest();
    const write = (chunk: Uint8Array) => sink.write(chunk);
    if (!content.ranges) return this.#stream(sink, request, opened);
    const { end } = this.#range();
    if (opened !== undefined) {
      await opened.pump(write, signal).catch((error: unknown) => {
        // What was cut is read on below, by range.
        if (toShoalError(error).code !== 'ERR_SOURCE_UNAVAILABLE') throw error;
      });
    }
    if (sink.position >= end) return;
    const { etag, lastModified, length } = content;
    const expect = { etag, lastModified, length };
    await world.origin.read({ ...request, range: { start: sink.position, end }, expect }, write, signal);
  }

  /** One stream from the first byte to the last: the origin has no ranges, or nothing to tell versions apart. */
  async #stream(sink: PieceSink, request: OriginRequest, opened: OpenBody | undefined): Promise<void> {
    const { world, content } = this.#context;
    if (this.run.first !== 0 || (opened !== undefined && opened.start !== 0)) {
      throw new ShoalError('ERR_INTERNAL', 'a stream is read from its first byte only');
    }
    const body = opened ?? (await this.#reopen(request));
    await body.pump((chunk) => sink.write(chunk), this.#abort.signal);
    if (content.length !== undefined) {
      if (sink.position >= content.length) return;
      throw new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the origin ended the stream early');
    }
    await sink.end();
    await content.stored?.setLength(sink.position);
    content.length = sink.position;
    world.log.debug({ taskId: content.taskId, length: sink.position }, 'stream without a length ended');
  }

  /** A second read of a stream is the same content only where a digest or a strong validator says so. */
  async #reopen(request: OriginRequest): Promise<OpenBody> {
    const { world, content } = this.#context;
    if (content.digest === undefined && content.etag === undefined) {
      throw new ShoalError('ERR_TASK_CHANGED', 'the one stream of this content broke off');
    }
    const prefixBytes = content.length ?? Number.MAX_SAFE_INTEGER;
    const answer = await world.origin.probe({ ...request, prefixBytes }, this.#abort.signal);
    if (answer.kind === 'content') {
      const { probed, body } = answer;
      const isSame = content.digest !== undefined || probed.etag === content.etag;
      if (isSame && body.start === 0 && probed.length === content.length) return body;
      body.discard();
    }
    throw new ShoalError('ERR_TASK_CHANGED', 'the origin has other content now');
  }
}
