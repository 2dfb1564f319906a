import type { HostAddress } from '../../../core/host.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { OpenBody } from '../../../origins/origin.ts';
import type { SlotPool } from '../slot-pool.ts';
import type { Run, Transfer, TransferEnd } from './transfer.ts';

interface LeaseBookOptions {
  readonly pool: SlotPool;
  /** Whether a run has nothing missing any more. */
  readonly isHeld: (first: number, count: number) => boolean;
  /** Whether every hash that a run from this parent needs is known. */
  readonly isReady: (run: Run) => boolean;
  readonly start: (run: Run, opened?: OpenBody) => Transfer;
  readonly onEnd: (end: TransferEnd) => void;
}

/** Pieces of one transfer told as running at most: a stream of unknown length has no end of them. */
const TOLD_AT_ONCE = 4096;

/** The runs a host was given in one task: those that wait for a slot, and those that run. */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  #queue: Run[] = [];
  /** Bodies of an origin that are open already, and wait unread for a slot: to ask again would have it send them twice. */
  #opened: { readonly run: Run; readonly body: OpenBody }[] = [];
  /** In the order in which they began. */
  readonly #running = new Set<Transfer>();
  readonly #onFree = () => this.pump();
  #stopped = false;
  /** How many transfers may run from the origin. @see LeaseSet.originAtOnce */
  originAtOnce: number = LIMITS.originLeasesPerHost;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  /** Transfers that run, and those that only wait for a slot with their body open. */
  get runningCount(): number {
    return this.#running.size + this.#opened.length;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  *#inFlight(): Generator<{ readonly run: Run }> {
    yield* this.#running;
    yield* this.#opened;
  }

  /** Pieces in flight and not yet there. */
  runningPieces(): number[] {
    const pieces = new Set<number>();
    for (const { run } of this.#inFlight()) {
      let told = 0;
      for (let piece = run.first; piece < run.first + run.count && told < TOLD_AT_ONCE; piece += 1) {
        if (this.#options.isHeld(piece, 1)) continue;
        pieces.add(piece);
        told += 1;
      }
    }
    return [...pieces];
  }

  queuedPieces(): number[] {
    return this.#queue.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, index) => first + index),
    );
  }

  isInFlight(piece: number): boolean {
    for (const { run } of this.#inFlight()) if (covers(run, piece)) return true;
    return false;
  }

  /** How many transfers run from this parent. */
  runningFrom(parent: HostAddress | 'origin'): number {
    let count = 0;
    for (const { run } of this.#running) {
      if (
        run.from === parent ||
        (parent !== 'origin' && run.from !== 'origin' && run.from.hostId === parent.hostId)
      ) {
        count += 1;
      }
    }
    return count;
  }

  /** Replaces what waits by the scheduler's whole set; what runs goes on. Returns how many are new. */
  replace(runs: readonly Run[]): number {
    const before = new Set(this.queuedPieces());
    this.#queue = runs.flatMap((run) => this.#missing(run));
    const fresh = this.#queue.filter(({ first }) => !before.has(first)).length;
    this.pump();
    return fresh;
  }

  /** What of a run is neither there nor in flight, as runs: no piece is written by two transfers. */
  #missing(run: Run): Run[] {
    if (this.#options.isHeld(run.first, run.count)) return [];
    if (run.hedge) return this.#isHedged(run) ? [] : [run];
    // It may be a stream, which can only be read from its start.
    if (run.from === 'origin' && run.first === 0) return this.isInFlight(0) ? [] : [run];
    const parts: Run[] = [];
    let first: number | undefined;
    let last = 0;
    for (let piece = run.first; piece < run.first + run.count; piece += 1) {
      if (this.isInFlight(piece)) {
        if (first !== undefined) parts.push({ ...run, first, count: last + 1 - first });
        first = undefined;
      } else if (!this.#options.isHeld(piece, 1)) {
        first ??= piece;
        last = piece;
      }
    }
    if (first !== undefined) parts.push({ ...run, first, count: last + 1 - first });
    return parts;
  }

  /** A piece has one hedge at a time, and on another parent than the one that is late. */
  #isHedged(hedge: Run): boolean {
    for (const { run } of this.#running) {
      if (covers(run, hedge.first) && (run.hedge || sameParent(run, hedge))) return true;
    }
    return false;
  }

  /** Whether nothing of a run is in flight. A stream waits for that: it cannot leave pieces out. */
  isFree(run: Run): boolean {
    if (run.hedge) return true;
    for (const { run: other } of this.#inFlight()) {
      if (run.first < other.first + other.count && other.first < run.first + run.count) return false;
    }
    return true;
  }

  /** Leases of the origin beyond those that may run wait for one of them: more at once only make each slower. */
  #isOriginBusy({ from, hedge }: Run): boolean {
    return from === 'origin' && !hedge && this.runningFrom('origin') >= this.originAtOnce;
  }

  /** Starts what waits, as far as there are slots. */
  pump(): void {
    while (!this.#stopped && this.#opened.length > 0) {
      if (!this.#options.pool.take(this.#onFree)) return;
      const next = this.#opened.shift();
      if (next !== undefined) this.begin(next.run, next.body);
    }
    for (let index = 0; index < this.#queue.length && !this.#stopped; ) {
      const queued = this.#queue[index];
      if (queued === undefined) return;
      const parts = this.#missing(queued);
      this.#queue.splice(index, 1, ...parts);
      const [run] = parts;
      if (run === undefined) continue;
      if (!this.isFree(run) || !this.#options.isReady(run) || this.#isOriginBusy(run)) {
        index += 1;
      } else if (this.#options.pool.take(this.#onFree)) {
        this.#queue.splice(index, 1);
        this.begin(run);
      } else {
        return;
      }
    }
  }

  /** Reads a body that is open, as soon as there is a slot. */
  open(run: Run, body: OpenBody): void {
    if (this.#stopped) return body.discard();
    this.#opened.push({ run, body });
    this.pump();
  }

  /** Starts a run in a slot that was taken for it. */
  begin(run: Run, opened?: OpenBody): Transfer {
    const transfer = this.#options.start(run, opened);
    this.#running.add(transfer);
    void transfer.ended.then((end) => {
      this.#running.delete(transfer);
      this.#options.pool.release();
      this.#options.onEnd(end);
      this.pump();
    });
    return transfer;
  }

  /** A piece came: a duplicate of it on its way is not needed any more. */
  dropHedges(piece: number): void {
    for (const transfer of this.#running) {
      if (transfer.run.hedge && transfer.run.first === piece) transfer.abort();
    }
  }

  /**
   * For a hedge that has proven right: takes a piece away from the transfer that writes it, and resolves when that
   * one writes no more.
   */
  async seize(piece: number): Promise<void> {
    for (const transfer of [...this.#running]) {
      // A hedge writes nothing before it has seized: it may be the caller itself, whose late partner has ended.
      if (transfer.run.hedge || !covers(transfer.run, piece)) continue;
      transfer.abort();
      await transfer.ended;
    }
  }

  /** Stops everything; resolves when nothing runs and nothing will be written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue = [];
    for (const { body } of this.#opened.splice(0)) body.discard();
    this.#options.pool.forget(this.#onFree);
    const running = [...this.#running];
    for (const transfer of running) transfer.abort();
    await Promise.all(running.map(({ ended }) => ended));
  }
}

function sameParent(a: Run, b: Run): boolean {
  if (a.from === 'origin' || b.from === 'origin') return a.from === b.from;
  return a.from.hostId === b.from.hostId;
}

function covers(run: Run, piece: number): boolean {
  return run.first <= piece && piece < run.first + run.count;
}
