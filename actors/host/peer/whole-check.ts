import { createHash } from 'node:crypto';
import { digestAlgorithm } from '../../../core/ids.ts';
import { pieceOffset, pieceSize } from '../../../core/piece.ts';
import type { ByteRange } from '../../../core/ranges.ts';
import type { Origin, OriginRequest, OriginSink } from '../../../origins/origin.ts';
import { WholeHasher } from '../../../storage/whole-hash.ts';
import type { PeerContent } from './content.ts';

/** Reads pieces again from the source and tells which of those on disk agree with it. */
export async function readSamples(
  origin: Origin,
  request: OriginRequest,
  content: PeerContent,
  samples: readonly number[],
  signal: AbortSignal,
): Promise<{ agreed: number[]; differed: number[] }> {
  const agreed: number[] = [];
  const differed: number[] = [];
  const { length, pieceLength, ranges, expectation: expect } = content;
  if (length === undefined || pieceLength === undefined) return { agreed, differed };
  const read = (range: ByteRange, sink: OriginSink) =>
    origin.read({ ...request, range, expect }, sink, signal);
  const wanted = [...samples]
    .sort((a, b) => a - b)
    .map((piece) => {
      const start = pieceOffset({ pieceLength }, piece);
      return {
        piece,
        start,
        end: start + pieceSize({ length, pieceLength }, piece),
        hash: createHash('sha256'),
      };
    });
  if (ranges) for (const { hash, ...range } of wanted) await read(range, (chunk) => void hash.update(chunk));
  else {
    // One stream serves them all, up to the last.
    let at = 0;
    await read({ start: 0, end: wanted.at(-1)?.end ?? 0 }, (chunk) => {
      for (const { start, end, hash } of wanted) {
        hash.update(chunk.subarray(Math.max(0, start - at), Math.max(0, end - at)));
      }
      at += chunk.length;
    });
  }
  for (const { piece, hash } of wanted) {
    const held = content.stored?.hash(piece);
    (held && hash.digest().equals(held) ? agreed : differed).push(piece);
  }
  return { agreed, differed };
}

/** Compares the whole with the digest that the task id is, hashing behind the writes. */
export class WholeCheck {
  readonly #content: PeerContent;
  readonly #signal: AbortSignal;
  #hasher: WholeHasher | undefined;

  constructor(content: PeerContent, signal: AbortSignal) {
    this.#content = content;
    this.#signal = signal;
  }

  /** A piece arrived: goes on hashing up to the first that is missing. */
  advance(): void {
    const { digest, stored } = this.#content;
    if (digest === undefined || stored === undefined || stored.complete) return;
    this.#hasher ??= new WholeHasher(stored, digestAlgorithm(digest), this.#signal);
    this.#hasher.advance();
  }

  /** Pieces were taken back: what was hashed counts no more. */
  reset(): void {
    this.#hasher = undefined;
  }

  /** Whether the whole is what the digest says; true where there is none. @throws ERR_STORE_IO, ERR_STORE_CORRUPT */
  async agrees(): Promise<boolean> {
    const { digest, stored } = this.#content;
    if (digest === undefined || stored === undefined || stored.complete) return true;
    this.advance();
    const hex = await this.#hasher?.digest();
    return digest === `${digestAlgorithm(digest)}:${hex}`;
  }
}
