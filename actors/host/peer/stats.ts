import type { Clock } from '../../../core/clock.ts';
import type { OriginReadReason } from '../../../core/download.ts';
import type { HostAddress } from '../../../core/host.ts';

/** How fast a measured rate follows: the weight of the newest transfer. */
const SMOOTHING = 0.2;

/** Bytes received, by source. */
export interface Received {
  readonly origin: number;
  readonly peers: number;
  /** Bytes that were here before. */
  readonly local: number;
}

/** Counts bytes received. */
export class ReceivedCount implements Received {
  origin = 0;
  peers = 0;
  local = 0;
  /** Bytes that came over the network, verified or not. */
  cameBytes = 0;

  add(bytes: number, from: keyof Received): void {
    this[from] += bytes;
  }

  now(): Received {
    return { origin: this.origin, peers: this.peers, local: this.local };
  }
}

/** What a download received, from where and how fast. */
export class PeerStats {
  readonly #count = new ReceivedCount();
  /** The same of all downloads of the host. */
  readonly #all: ReceivedCount;
  readonly originReasons: Partial<Record<OriginReadReason, number>> = {};
  /** Hosts that bytes came from. */
  readonly parents = new Set<string>();
  /** Measured rate of one transfer, bytes a second; 0 while unknown. */
  transferBytesPerSec = 0;
  longestGapMs = 0;
  durationMs = 0;
  /** Bytes that came over the network, verified or not. */
  cameBytes = 0;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #lastByteMs: number;
  #ended = 0;
  #finished = false;

  constructor(clock: Clock, all: ReceivedCount) {
    this.#clock = clock;
    this.#all = all;
    this.#startedMs = clock.now();
    this.#lastByteMs = this.#startedMs;
  }

  bytesCame(bytes: number, from: HostAddress | 'origin'): void {
    this.cameBytes += bytes;
    this.#all.cameBytes += bytes;
    const now = this.#clock.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastByteMs);
    this.#lastByteMs = now;
    if (from !== 'origin') this.parents.add(from.hostId);
  }

  pieceCame(bytes: number, from: HostAddress | 'origin'): void {
    this.#add(bytes, from === 'origin' ? 'origin' : 'peers');
  }

  /** So many bytes were here before. */
  found(bytes: number): void {
    this.#add(bytes, 'local');
  }

  #add(bytes: number, from: keyof Received): void {
    this.#count.add(bytes, from);
    this.#all.add(bytes, from);
  }

  originRead(bytes: number, reason: OriginReadReason): void {
    this.originReasons[reason] = (this.originReasons[reason] ?? 0) + bytes;
  }

  transferEnded(bytes: number, durationMs: number): void {
    this.#ended += 1;
    if (bytes === 0 || durationMs <= 0) return;
    const rate = (bytes * 1000) / durationMs;
    this.transferBytesPerSec =
      this.transferBytesPerSec === 0 ? rate : this.transferBytesPerSec * (1 - SMOOTHING) + rate * SMOOTHING;
  }

  /** Transfers ended a second so far. */
  leasesPerSec(): number {
    const elapsedMs = this.#clock.now() - this.#startedMs;
    return elapsedMs < 20 ? 0 : (this.#ended * 1000) / elapsedMs;
  }

  finished(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.durationMs = this.#clock.now() - this.#startedMs;
  }

  received(): Received {
    return this.#count.now();
  }
}
