import type { Cancel, Clock } from '../../../core/clock.ts';
import { LIMITS } from '../../../core/limits.ts';

/** Between two looks at a transfer. */
const LOOK_MS = LIMITS.idleMs;
/** Whatever the link of this host is, less than this is no transfer. */
const LEAST_PER_SEC = 1024;
/** Below the floor rate, less than this share of what the host's transfers get on average is too little. */
const LEAST_SHARE = 0.25;

/** What all transfers of a host together do. */
export interface HostLoad {
  /** Bytes that came since the start. */
  readonly cameBytes: number;
  /** Transfers that run. */
  readonly running: number;
}

/**
 * Whether a parent keeps up. Where all transfers are slow the link of this host may be, and nobody is blamed for that: a
 * transfer is too slow by what the others get at the same time.
 */
export class ParentPace {
  readonly #clock: Clock;
  readonly #load: () => HostLoad;
  readonly #pieceLength: number;
  readonly #patienceMs: number;
  readonly #onSlow: (bytesPerSec: number) => void;
  #timer: Cancel | undefined;
  #bytes = 0;
  #looked: { readonly atMs: number; readonly bytes: number; readonly hostBytes: number };
  #pieceSinceMs: number;
  /** What a transfer of average rate would have brought since the last piece. */
  #fairBytes = 0;

  constructor(
    clock: Clock,
    load: () => HostLoad,
    limits: { readonly pieceLength: number; readonly patienceMs: number },
    onSlow: (bytesPerSec: number) => void,
  ) {
    this.#clock = clock;
    this.#load = load;
    this.#pieceLength = limits.pieceLength;
    this.#patienceMs = limits.patienceMs;
    this.#onSlow = onSlow;
    const atMs = clock.now();
    this.#looked = { atMs, bytes: 0, hostBytes: load().cameBytes };
    this.#pieceSinceMs = atMs;
    this.#wait();
  }

  came(bytes: number): void {
    this.#bytes += bytes;
  }

  pieceCame(): void {
    this.#pieceSinceMs = this.#clock.now();
    this.#fairBytes = 0;
  }

  end(): void {
    this.#timer?.();
  }

  #wait(): void {
    this.#timer = this.#clock.after(LOOK_MS, () => this.#look());
  }

  #look(): void {
    const { cameBytes, running } = this.#load();
    const atMs = this.#clock.now();
    const seconds = (atMs - this.#looked.atMs) / 1000;
    const bytes = this.#bytes - this.#looked.bytes;
    const fair = (cameBytes - this.#looked.hostBytes) / Math.max(1, running);
    this.#fairBytes += fair;
    this.#looked = { atMs, bytes: this.#bytes, hostBytes: cameBytes };
    const floor = Math.min(LIMITS.floorBytesPerSec, (LEAST_SHARE * fair) / seconds);
    const isTrickle = bytes / seconds < Math.max(LEAST_PER_SEC, floor);
    const isOverdue =
      atMs - this.#pieceSinceMs >= this.#patienceMs &&
      this.#fairBytes >= LIMITS.overduePieces * this.#pieceLength;
    if (isTrickle || isOverdue) this.#onSlow(bytes / seconds);
    else this.#wait();
  }
}
