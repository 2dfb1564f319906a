import { createHash } from 'node:crypto';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import { LeaseBook } from '../../../../actors/host/peer/lease-book.ts';
import { Transfer } from '../../../../actors/host/peer/transfer.ts';
import type { PieceActor } from '../../../../actors/host/piece/piece.ts';
import { SlotPool } from '../../../../actors/host/slot-pool.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import type { HostAddress } from '../../../../core/host.ts';
import type { HostId, TaskId } from '../../../../core/ids.ts';
import { pieceCount, pieceOffset, pieceSize } from '../../../../core/piece.ts';
import type { ByteRange } from '../../../../core/ranges.ts';
import type { Run } from '../../../../core/run.ts';
import type { ByteSink, DataPlane } from '../../../../dataplane/data-plane.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

/** A host to read from. */
export const host = (index: number): HostAddress => ({
  hostId: index.toString(16).padStart(32, '0') as HostId,
  ip: '10.0.0.1',
  port: 7400 + index,
});

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** Bytes that differ from piece to piece. */
export function sample(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8) * 13 + 1) % 251);
}

/** Lets what was promised happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

/** A range that was asked for, and that the test answers. */
export class HeldFetch {
  readonly parent: HostId;
  readonly range: ByteRange;
  readonly signal: AbortSignal;
  readonly #sink: ByteSink;
  readonly #end: (error?: unknown) => void;

  constructor(
    request: Parameters<DataPlane['fetch']>[0],
    sink: ByteSink,
    signal: AbortSignal,
    end: (error?: unknown) => void,
  ) {
    this.parent = request.parent.hostId;
    this.range = request.range;
    this.signal = signal;
    this.#sink = sink;
    this.#end = end;
  }

  /** Bytes come; what the sink throws ends the transfer, as on the network. Resolves with what it threw. */
  async give(bytes: Uint8Array): Promise<unknown> {
    try {
      await this.#sink(bytes);
    } catch (error) {
      await this.end(error);
      return error;
    }
    await settle();
    return undefined;
  }

  async end(error?: unknown): Promise<void> {
    this.#end(error);
    await settle();
  }
}

interface GroundOptions {
  readonly bytes?: Uint8Array;
  /** Undefined where only the stream's end tells. */
  readonly length?: number | undefined;
  readonly pieceLength?: number;
  readonly slots?: number;
  /** A parent that goes on as if nothing were when its transfer is aborted. */
  readonly deaf?: boolean;
  readonly digest?: boolean;
}

/** How a lease ended. */
interface Ended {
  readonly run: Run;
  readonly state: PieceActor['state'];
  readonly reason: string | undefined;
  readonly details: unknown;
}

/**
 * An empty memory store with content in it whose hashes are known, a book of leases over it, and parents in the hands of
 * the test.
 */
export async function pieceGround(options: GroundOptions = {}) {
  const { bytes = sample(40), pieceLength = 10, slots = 8, deaf = false } = options;
  const length = 'length' in options ? options.length : bytes.length;
  const store = createMemoryStore({ clock: { wall: () => 0 } });
  const taskId = `${options.digest ? 'sha256' : 'url'}-${'0'.repeat(64)}` as TaskId;
  const content = new PeerContent(store, taskId, [], 'life');
  await content.learn(length, pieceLength);
  const { stored } = content;
  if (stored === undefined) throw new Error('the store made nothing');
  const geometry = { length: bytes.length, pieceLength };
  const pieces = pieceCount(geometry);
  const partOf = (piece: number) => {
    const start = pieceOffset(geometry, piece);
    return bytes.subarray(start, start + pieceSize(geometry, piece));
  };
  for (let piece = 0; piece < pieces; piece += 1) content.expect(piece, sha256(partOf(piece)));

  const fetches: HeldFetch[] = [];
  const origin: { probe: HostWorld['origin']['probe']; read: HostWorld['origin']['read'] } = {
    probe: () => Promise.reject(new Error('not asked')),
    read: () => Promise.reject(new Error('not asked')),
  };
  const world = {
    clock: { now: () => 0, after: () => () => {} },
    starvedAfterMs: 5_000,
    log: { debug() {} },
    origin,
    dataPlane: {
      fetch: (...[request, sink, signal]: Parameters<DataPlane['fetch']>) =>
        new Promise<void>((resolve, reject) => {
          if (!deaf) signal.addEventListener('abort', () => reject(signal.reason));
          const end = (error?: unknown) => (error === undefined ? resolve() : reject(error));
          fetches.push(new HeldFetch(request, sink, signal, end));
        }),
    },
  } as unknown as HostWorld;
  const pool = new SlotPool(slots);
  const recorded: number[] = [];
  const passed = { bytes: 0 };
  const ended: Ended[] = [];
  const book = new LeaseBook({
    pool,
    isHeld: (first, count) => content.hasRun(first, count),
    isReady: () => true,
    expected: (piece) => content.expected(piece),
    transfer: (lease) =>
      new Transfer(
        {
          world,
          content,
          originRequest: () => ({ url: 'http://origin.test/a', headers: {} }),
          onBytes: (came) => {
            passed.bytes += came;
          },
          load: () => ({ cameBytes: passed.bytes, running: 1 }),
        },
        lease,
      ),
    onStored: (_, piece) => void recorded.push(piece),
    onEnd: ({ run, state, failure }) =>
      void ended.push({ run, state, reason: failure?.reason, details: failure?.error.details }),
  });
  book.originAtOnce = 8;

  const read = async (piece: number) => {
    const buffer = new Uint8Array(partOf(piece).length);
    await stored.read(buffer, pieceOffset(geometry, piece));
    return buffer;
  };
  /** How each lease ended so far, in few words. */
  const ends = () => ended.map(({ run, state, reason }) => [run.first, state, reason]);
  return {
    book,
    pool,
    content,
    stored,
    pieces,
    partOf,
    fetches,
    origin,
    recorded,
    passed,
    ended,
    ends,
    read,
  };
}

/** A run of pieces from a host. */
export function lease(first: number, count: number, parent: number, hedge = false): Run {
  return { first, count, from: host(parent), hedge };
}
