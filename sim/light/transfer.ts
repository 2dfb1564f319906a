import type { Clock } from '../../core/clock.ts';
import type { FailureReason } from '../../core/sync-messages.ts';
import type { Downlink, Sending, Uplink } from './link.ts';

/** Adjacent pieces from one place. */
export interface LightRun {
  readonly first: number;
  readonly count: number;
  readonly from: LightSource;
  readonly hedge: boolean;
}

/** A place that gives pieces: the origin, or another host. */
export interface LightSource {
  /** As leases name it. */
  readonly name: string;
  readonly uplink: Uplink;
  readonly lies: boolean;
  readonly isAlive: boolean;
  /** A request came; it is served unless there is something against it, and ends by `leave`. */
  enter(transfer: LightTransfer): FailureReason | undefined;
  leave(transfer: LightTransfer): void;
}

/** What a transfer needs of the host that it is to. */
export interface TransferGround {
  readonly clock: Clock;
  readonly downlink: Downlink;
  readonly chunkBytes: number;
  readonly latencyMs: (from: LightSource) => number;
  readonly pieceBytes: (piece: number) => number;
  readonly onPiece: (transfer: LightTransfer, piece: number) => void;
  readonly onEnd: (transfer: LightTransfer, failure: FailureReason | undefined) => void;
}

/** Chunks between sender and receiver: enough to fill both links. @see SimNetwork */
const WINDOW = 2;
/** One way: the handshake, then the request. @see sim/exchange.ts */
const TRIPS = 3;

/** A run of pieces on its way from one place to one host, chunk by chunk. */
export class LightTransfer implements Sending {
  readonly run: LightRun;
  readonly startedMs: number;
  movedMs: number;
  cameBytes = 0;
  isOpen = true;
  isServed = false;
  readonly #ground: TransferGround;
  readonly #totalBytes: number;
  #sentBytes = 0;
  #onWay = 0;
  #piece: number;
  #pieceEndBytes: number;

  constructor(ground: TransferGround, run: LightRun) {
    this.#ground = ground;
    this.run = run;
    this.startedMs = ground.clock.now();
    this.movedMs = this.startedMs;
    let total = 0;
    for (let piece = run.first; piece < run.first + run.count; piece += 1) total += ground.pieceBytes(piece);
    this.#totalBytes = total;
    this.#piece = run.first;
    this.#pieceEndBytes = ground.pieceBytes(run.first);
  }

  /** Asks; where the body is `open` already, it only comes. */
  begin(open = false): void {
    const { clock, latencyMs } = this.#ground;
    const { from } = this.run;
    const awayMs = latencyMs(from);
    clock.after(open ? 0 : TRIPS * awayMs, () => {
      if (!this.isOpen) return;
      const refused = from.isAlive ? from.enter(this) : 'unreachable';
      this.isServed = refused === undefined;
      if (refused === undefined) this.#pump();
      else clock.after(awayMs, () => this.end(refused));
    });
  }

  #pump(): void {
    while (this.#onWay < WINDOW && this.#sentBytes < this.#totalBytes) {
      this.#onWay += 1;
      this.run.from.uplink.send(this);
    }
  }

  next(): number {
    const bytes = Math.min(this.#ground.chunkBytes, this.#totalBytes - this.#sentBytes);
    this.#sentBytes += bytes;
    if (bytes === 0) this.#onWay -= 1;
    return bytes;
  }

  sent(bytes: number, begunMs: number): void {
    if (!this.isOpen) return;
    const { clock, downlink, latencyMs } = this.#ground;
    const awayMs = latencyMs(this.run.from);
    const nowMs = clock.now();
    const comesMs = downlink.through(bytes, begunMs + awayMs, nowMs + awayMs);
    clock.after(comesMs - nowMs, () => this.#came(bytes));
    this.#pump();
  }

  #came(bytes: number): void {
    if (!this.isOpen) return;
    const { clock, pieceBytes, onPiece } = this.#ground;
    const { run } = this;
    this.#onWay -= 1;
    this.cameBytes += bytes;
    this.movedMs = clock.now();
    while (this.isOpen && this.#piece < run.first + run.count && this.cameBytes >= this.#pieceEndBytes) {
      const piece = this.#piece;
      this.#piece += 1;
      if (this.#piece < run.first + run.count) this.#pieceEndBytes += pieceBytes(this.#piece);
      onPiece(this, piece);
    }
    if (!this.isOpen) return;
    if (this.cameBytes >= this.#totalBytes) this.end(undefined);
    else this.#pump();
  }

  /** Ends it, whatever is still to come. */
  end(failure: FailureReason | undefined): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.isServed) this.run.from.leave(this);
    this.#ground.onEnd(this, failure);
  }
}

/** Whether the run has the piece. */
export function runHas({ first, count }: Pick<LightRun, 'first' | 'count'>, piece: number): boolean {
  return first <= piece && piece < first + count;
}
