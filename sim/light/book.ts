import type { Clock } from '../../core/clock.ts';
import { LIMITS } from '../../core/limits.ts';
import type { FailureReason } from '../../core/sync-messages.ts';
import type { Tally } from './tally.ts';
import { type LightRun, type LightSource, LightTransfer, runHas, type TransferGround } from './transfer.ts';

/** How fast a measured rate follows. @see actors/host/peer/stats.ts */
const SMOOTHING = 0.2;

interface LightBookOptions extends Pick<TransferGround, 'clock' | 'downlink' | 'chunkBytes' | 'latencyMs'> {
  readonly clock: Clock;
  readonly pieces: number;
  readonly slots: number;
  readonly pieceBytes: (piece: number) => number;
  readonly tally: Tally;
  readonly onStored: (piece: number, from: LightSource, isOrigin: boolean) => void;
  readonly onEnd: (run: LightRun, failure: FailureReason | undefined) => void;
  readonly isOrigin: (from: LightSource) => boolean;
}

/** What a light host has, runs and has waiting, as the book of a real one has it. @see actors/host/peer/lease-book.ts */
export class LightBook {
  readonly have: Uint8Array;
  /** Pieces whose hash is known. */
  readonly known: Uint8Array;
  held = 0;
  originAtOnce: number = LIMITS.originLeasesPerHost;
  /** Measured rate of one transfer, bytes a second. */
  bytesPerSec = 0;
  ended = 0;
  readonly #options: LightBookOptions;
  readonly #ground: TransferGround;
  readonly #flying: Uint8Array;
  readonly #running = new Set<LightTransfer>();
  #waiting: LightRun[] = [];
  #stopped = false;

  constructor(options: LightBookOptions) {
    this.#options = options;
    this.have = new Uint8Array(options.pieces);
    this.known = new Uint8Array(options.pieces);
    this.#flying = new Uint8Array(options.pieces);
    this.#ground = {
      clock: options.clock,
      downlink: options.downlink,
      chunkBytes: options.chunkBytes,
      latencyMs: options.latencyMs,
      pieceBytes: options.pieceBytes,
      onPiece: (transfer, piece) => this.#came(transfer, piece),
      onEnd: (transfer, failure) => this.#ended(transfer, failure),
    };
  }

  get isWhole(): boolean {
    return this.held === this.#options.pieces;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get free(): number {
    return this.#options.slots - this.#running.size;
  }

  runningPieces(): number[] {
    const pieces = new Set<number>();
    for (const { run } of this.#running) for (const piece of this.#lacking(run)) pieces.add(piece);
    return [...pieces];
  }

  queuedPieces(): number[] {
    return this.#waiting.flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at));
  }

  *#lacking({ first, count }: LightRun): Generator<number> {
    for (let piece = first; piece < first + count; piece += 1) if (this.have[piece] === 0) yield piece;
  }

  /** Takes the scheduler's whole set; returns whether anything in it is new. */
  replace(runs: readonly LightRun[]): boolean {
    const before = new Set(this.queuedPieces());
    this.#waiting = runs.flatMap((run) => this.#missing(run));
    const isNew = this.#waiting.some(({ first }) => !before.has(first));
    this.pump();
    return isNew;
  }

  /** What of a run is neither here nor on its way, as runs. */
  #missing(run: LightRun): LightRun[] {
    if (run.hedge) return this.have[run.first] === 0 && this.#takesHedge(run) ? [run] : [];
    const parts: LightRun[] = [];
    let first = -1;
    const end = Math.min(this.#options.pieces, run.first + run.count);
    for (let piece = run.first; piece <= end; piece += 1) {
      const isMissing = piece < end && this.have[piece] === 0 && this.#flying[piece] === 0;
      if (isMissing && first < 0) first = piece;
      if (isMissing || first < 0) continue;
      parts.push({ ...run, first, count: piece - first });
      first = -1;
    }
    return parts;
  }

  #takesHedge({ first, from }: LightRun): boolean {
    for (const { run } of this.#running)
      if (runHas(run, first) && (run.hedge || run.from === from)) return false;
    return true;
  }

  /** Begins what waits, as far as there are slots. */
  pump(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const queued of this.#stopped ? [] : waiting) {
      for (const run of this.#missing(queued)) {
        if (this.free > 0 && this.#isReady(run)) this.begin(run);
        else this.#waiting.push(run);
      }
    }
  }

  #isReady(run: LightRun): boolean {
    if (!this.#options.isOrigin(run.from)) {
      for (const piece of this.#lacking(run)) if (this.known[piece] === 0) return false;
      return true;
    }
    let reading = 0;
    for (const other of this.#running) if (other.run.from === run.from) reading += 1;
    return run.hedge || reading < this.originAtOnce;
  }

  /** @param open the origin's answer is here, and its bytes come at once */
  begin(run: LightRun, open = false): void {
    const transfer = new LightTransfer(this.#ground, run);
    this.#running.add(transfer);
    this.#fly(run, 1);
    transfer.begin(open);
  }

  #fly({ first, count }: LightRun, by: number): void {
    for (let piece = first; piece < first + count; piece += 1)
      this.#flying[piece] = (this.#flying[piece] ?? 0) + by;
  }

  #came(transfer: LightTransfer, piece: number): void {
    const { run } = transfer;
    const { tally, clock, pieceBytes, onStored, isOrigin } = this.#options;
    if (run.from.lies) {
      tally.corrupt += 1;
      return transfer.end('corrupt');
    }
    const bytes = pieceBytes(piece);
    if (this.have[piece] === 1) return this.#waste(bytes);
    this.have[piece] = 1;
    this.held += 1;
    tally.pieces += 1;
    tally.bytes += bytes;
    tally.movedMs = clock.now();
    // Of two transfers of one piece the slower ends, and what it brought of it was in vain.
    for (const other of [...this.#running]) {
      if (other === transfer || !runHas(other.run, piece)) continue;
      if (!other.run.hedge && !run.hedge) continue;
      this.#waste(Math.min(other.cameBytes, bytes));
      other.end(undefined);
    }
    onStored(piece, run.from, isOrigin(run.from));
  }

  #waste(bytes: number): void {
    const { tally, pieces } = this.#options;
    if (pieces - this.held <= Math.max(1, pieces * LIMITS.hedgeTailShare)) tally.wastedTailBytes += bytes;
    else tally.wastedBytes += bytes;
  }

  #ended(transfer: LightTransfer, failure: FailureReason | undefined): void {
    const { clock, onEnd, tally } = this.#options;
    this.#running.delete(transfer);
    this.#fly(transfer.run, -1);
    if (this.#stopped) return;
    const tookMs = clock.now() - transfer.startedMs;
    this.ended += 1;
    if (failure !== undefined) tally.failed += 1;
    if (transfer.cameBytes > 0 && tookMs > 0) {
      const rate = (1000 * transfer.cameBytes) / tookMs;
      this.bytesPerSec =
        this.bytesPerSec === 0 ? rate : this.bytesPerSec + SMOOTHING * (rate - this.bytesPerSec);
    }
    onEnd(transfer.run, failure);
    this.pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    for (const transfer of [...this.#running]) transfer.end(undefined);
  }
}
