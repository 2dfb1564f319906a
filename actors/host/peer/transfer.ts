import { createHash } from 'node:crypto';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { HostAddress } from '../../../core/host.ts';
import { onAbort } from '../../../core/on-abort.ts';
import { pieceOffset, runBytes } from '../../../core/piece.ts';
import type { ByteSink } from '../../../dataplane/data-plane.ts';
import type { OpenBody, OriginRequest } from '../../../origins/origin.ts';
import { rangeless } from '../../../origins/origin-error.ts';
import type { StoredTask } from '../../../storage/store.ts';
import type { MovedLease, PieceTransfer } from '../piece/piece.ts';
import { PieceSink } from '../piece/sink.ts';
import type { HostWorld } from '../world.ts';
import type { PeerContent } from './content.ts';
import { type HostLoad, ParentPace } from './parent-pace.ts';

interface TransferContext {
  readonly world: HostWorld;
  readonly content: PeerContent;
  /** How to ask the origin, with the credentials of the one who wants the content. */
  readonly originRequest: () => OriginRequest;
  readonly onBytes: (bytes: number) => void;
  readonly load: () => HostLoad;
}

/** Moves the bytes of one lease from a parent or an origin. */
export class Transfer implements PieceTransfer {
  bytes = 0;
  readonly #context: TransferContext;
  readonly #lease: MovedLease;
  readonly #startedMs: number;
  readonly #stored: StoredTask;
  readonly #sink: PieceSink;
  readonly #write: ByteSink = (chunk) => this.#sink.write(chunk);
  #pace: ParentPace | undefined;
  /** What of a hedge waits for its place. */
  #held: Buffer | undefined;

  /** @throws ERR_INTERNAL where the content is not cut yet */
  constructor(context: TransferContext, lease: MovedLease) {
    const { content, onBytes } = context;
    const { stored, pieceLength } = content;
    const { run, signal } = lease;
    if (stored === undefined || pieceLength === undefined) {
      throw new ShoalError('ERR_INTERNAL', 'a transfer was started before its task was known');
    }
    this.#context = context;
    this.#lease = lease;
    this.#startedMs = context.world.clock.now();
    this.#stored = stored;
    this.#sink = new PieceSink({
      content,
      stored,
      pieceLength,
      first: run.first,
      signal,
      onBytes: (bytes) => {
        this.bytes += bytes;
        onBytes(bytes);
      },
      onPiece: (piece, hash, length) => {
        this.#pace?.pieceCame();
        lease.came(piece, hash, length);
      },
    });
  }

  get durationMs(): number {
    return this.#context.world.clock.now() - this.#startedMs;
  }

  async read(): Promise<void> {
    const { from } = this.#lease.run;
    if (from === 'origin') await this.#fromOrigin();
    else await this.#fetch(from, this.#write);
  }

  async hold(): Promise<Uint8Array> {
    const { from } = this.#lease.run;
    if (from === 'origin') throw new ShoalError('ERR_INTERNAL', 'a hedge is read from a host');
    const { start, end } = this.#range();
    const buffer = Buffer.allocUnsafe(end - start);
    let at = 0;
    await this.#fetch(from, (chunk) => {
      buffer.set(chunk, at);
      at += chunk.length;
    });
    this.#held = buffer;
    return createHash('sha256').update(buffer).digest();
  }

  async land(): Promise<void> {
    if (this.#held !== undefined) await this.#write(this.#held);
  }

  commit(piece: number, hash: Uint8Array, length: number): void {
    this.#stored.commit(piece, hash, length);
  }

  /** Bytes [start, end) of the run. */
  #range(): { start: number; end: number } {
    const { length, pieceLength } = this.#context.content;
    const { first, count } = this.#lease.run;
    if (pieceLength === undefined) throw new ShoalError('ERR_INTERNAL', 'piece length unknown');
    const start = pieceOffset({ pieceLength }, first);
    const geometry = { length: length ?? start + count * pieceLength, pieceLength };
    return { start, end: start + runBytes(geometry, first, count) };
  }

  async #fetch(parent: HostAddress, write: ByteSink): Promise<void> {
    const { world, content, load } = this.#context;
    const { signal } = this.#lease;
    const { taskId, isPublic, pieceLength = 0 } = content;
    const request = { parent, taskId, isPublic, range: this.#range() };
    const until = new AbortController();
    const unlisten = onAbort(signal, () => until.abort(signal.reason));
    if (signal.aborted) until.abort(signal.reason);
    let slow: ShoalError | undefined;
    const limits = { pieceLength, patienceMs: world.starvedAfterMs };
    const pace = new ParentPace(world.clock, load, limits, (bytesPerSec) => {
      const message = `host ${parent.hostId} sends ${Math.round(bytesPerSec)} bytes a second`;
      slow = new ShoalError('ERR_PEER_STALLED', message);
      until.abort(slow);
    });
    this.#pace = pace;
    const paced: ByteSink = (chunk) => {
      pace.came(chunk.length);
      return write(chunk);
    };
    try {
      await world.dataPlane.fetch(request, paced, until.signal);
    } catch (error) {
      throw slow ?? error;
    } finally {
      pace.end();
      unlisten();
    }
  }

  async #fromOrigin(): Promise<void> {
    const { world, content, originRequest } = this.#context;
    const { body, signal } = this.#lease;
    const request = originRequest();
    if (!content.ranges) return this.#stream(request);
    const { end } = this.#range();
    if (body !== undefined) {
      await body.pump(this.#write, signal).catch((error: unknown) => {
        // What was cut is read on below, by range.
        if (toShoalError(error).code !== 'ERR_SOURCE_UNAVAILABLE') throw error;
      });
    }
    const start = this.#sink.position;
    if (start >= end) return;
    const range = { start, end };
    await world.origin.read(
      { ...request, range, expect: content.expectation, partsOnly: true },
      this.#write,
      signal,
    );
  }

  /** One stream from the first byte to the last: the origin has no ranges, or nothing to tell versions apart. */
  async #stream(request: OriginRequest): Promise<void> {
    const { world, content } = this.#context;
    const { run, body: opened, signal } = this.#lease;
    // Leased before it was known that the origin has no ranges.
    if (run.first !== 0) throw rangeless('the origin is read in one stream');
    if (opened !== undefined && opened.start !== 0) {
      throw new ShoalError('ERR_INTERNAL', 'a stream is read from its first byte only');
    }
    const body = opened ?? (await this.#reopen(request));
    await body.pump(this.#write, signal);
    const sink = this.#sink;
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
    const whole = { ...request, prefixBytes: Number.MAX_SAFE_INTEGER };
    const answer = await world.origin.probe(whole, this.#lease.signal);
    if (answer.kind === 'content') {
      const { probed, body } = answer;
      const isSame = content.digest !== undefined || probed.etag === content.etag;
      if (isSame && body.start === 0 && probed.length === content.length) return body;
      body.discard();
    }
    throw new ShoalError('ERR_TASK_CHANGED', 'the origin has other content now');
  }
}
