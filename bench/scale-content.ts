import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type HostId, partitionOf, type TaskId } from '../core/ids.ts';
import { pieceLengthFor } from '../core/piece.ts';
import type { Probed } from '../core/probed.ts';

/** One end of a connection to the lab's network: it moves one piece after the other at its rate. */
export class Link {
  readonly #bytesPerMs: number;
  #busyUntilMs = 0;

  constructor(bytesPerSec: number) {
    this.#bytesPerMs = bytesPerSec / 1000;
  }

  /** When so many bytes are through that come now. */
  take(bytes: number): number {
    this.#busyUntilMs = Math.max(performance.now(), this.#busyUntilMs) + bytes / this.#bytesPerMs;
    return this.#busyUntilMs;
  }
}

/** Moves a piece over both links. */
export async function moved(from: Link, to: Link, bytes: number): Promise<void> {
  const atMs = Math.max(from.take(bytes), to.take(bytes));
  await delay(Math.max(0, atMs - performance.now()));
}

/** What all hosts of a flash crowd want, and what came of it. */
export class Content {
  readonly taskId = `sha256-${randomBytes(32).toString('hex')}` as TaskId;
  readonly partition = String(partitionOf(this.taskId));
  readonly source = { url: 'http://origin.test/content', credentials: false };
  readonly length: number;
  readonly pieceLength: number;
  readonly pieces: number;
  readonly hashes: readonly Uint8Array[];
  readonly probed: Probed;
  readonly origin: Link;
  readonly #ends = new Map<HostId, Link>();
  /** Pieces that came, and those read from the origin. */
  delivered = 0;
  fromOrigin = 0;
  done = 0;
  syncs = 0;
  unanswered = 0;
  /** Syncs that were asked to wait. */
  waits = 0;
  adrift = 0;
  /** Syncs that were not answered, by what came instead. */
  readonly refusals = new Map<string, number>();
  /** Time to each answer of a sync. */
  readonly answerMs: number[] = [];

  constructor(length: number, linkBytesPerSec: number) {
    this.length = length;
    this.pieceLength = pieceLengthFor(length);
    this.pieces = Math.ceil(length / this.pieceLength);
    this.hashes = Array.from({ length: this.pieces }, () => randomBytes(32));
    this.probed = { length, etag: '"content"', ranges: true, audience: 'public' };
    this.origin = new Link(linkBytesPerSec);
  }

  sizeOf(piece: number): number {
    return Math.min(this.pieceLength, this.length - piece * this.pieceLength);
  }

  addUplink(hostId: HostId, link: Link): void {
    this.#ends.set(hostId, link);
  }

  uplinkOf(parent: HostId | 'origin'): Link | undefined {
    return parent === 'origin' ? this.origin : this.#ends.get(parent);
  }
}
