import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ShoalError } from '../core/errors.ts';
import { type Digest, parseDigest } from '../core/ids.ts';
import type { FilePrint } from '../core/imports.ts';
import { pieceLengthFor } from '../core/piece.ts';

const CHUNK_BYTES = 1024 * 1024;

/** What a file is, read once. */
export interface ReadFile {
  readonly digest: Digest;
  readonly print: FilePrint;
}

/** Reads a file to its end. @throws ERR_FILE_UNREADABLE */
export async function printOfFile(path: string): Promise<ReadFile> {
  const length = await lengthOf(path);
  const whole = createHash('sha256');
  const cutters = [...new Set([pieceLengthFor(length), pieceLengthFor(undefined)])].map(
    (pieceLength) => new Cutter(pieceLength),
  );
  let bytes = 0;
  for await (const chunk of bytesOfFile(path)) {
    bytes += chunk.length;
    whole.update(chunk);
    for (const cutter of cutters) cutter.update(chunk);
  }
  const cuts = cutters.map((cutter) => ({ pieceLength: cutter.pieceLength, print: cutter.print() }));
  return { digest: parseDigest(`sha256:${whole.digest('hex')}`), print: { length: bytes, cuts } };
}

/** The bytes of a file. @throws ERR_FILE_UNREADABLE */
export async function* bytesOfFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }))
      yield chunk as Uint8Array;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function lengthOf(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (found.isFile()) return found.size;
  throw new ShoalError('ERR_FILE_UNREADABLE', `${path} is no file`);
}

function unreadable(path: string, cause: unknown): ShoalError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ShoalError('ERR_FILE_UNREADABLE', `cannot read ${path}: ${why}`, { cause });
}

/** Hashes content piece by piece, and these hashes together. */
class Cutter {
  readonly pieceLength: number;
  readonly #all = createHash('sha256');
  #piece = createHash('sha256');
  #filled = 0;

  constructor(pieceLength: number) {
    this.pieceLength = pieceLength;
  }

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.pieceLength - this.#filled);
      this.#piece.update(part);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.pieceLength) this.#end();
    }
  }

  #end(): void {
    this.#all.update(this.#piece.digest());
    this.#piece = createHash('sha256');
    this.#filled = 0;
  }

  print(): string {
    if (this.#filled > 0) this.#end();
    return this.#all.digest('hex');
  }
}
