import type { HostAddress } from '../core/host.ts';
import type { OpenBody } from '../origins/origin.ts';
import type { SlotPool } from './slot-pool.ts';
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

/** The runs a host was given in one task: those that wait for a slot, and those that run. */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  #queue: Run[] = [];
  readonly #running = new Set<Transfer>();
  readonly #inFlight = new Map<number, Transfer>();
  readonly #onFree = () => this.pump();
  #stopped = false;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  /** Pieces in flight and not yet there. */
  runningPieces(): number[] {
    return [...this.#inFlight.keys()].filter((piece) => !this.#options.isHeld(piece, 1));
  }

  queuedPieces(): number[] {
    return this.#queue.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, index) => first + index),
    );
  }

  isInFlight(piece: number): boolean {
    return this.#inFlight.has(piece);
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
    const before = new Set(this.#queue.map(({ first }) => first));
    this.#queue = runs.filter((run) => !this.#options.isHeld(run.first, run.count) && !this.#isRunning(run));
    const fresh = this.#queue.filter(({ first }) => !before.has(first)).length;
    this.pump();
    return fresh;
  }

  /** A run that is in flight already is left alone, unless it is a hedge on another parent. */
  #isRunning(run: Run): boolean {
    const transfer = this.#inFlight.get(run.first);
    if (transfer === undefined) return false;
    return !run.hedge || sameParent(transfer.run, run);
  }

  /** Starts what waits, as far as there are slots. */
  pump(): void {
    if (this.#stopped) return;
    for (let index = 0; index < this.#queue.length; ) {
      const run = this.#queue[index];
      if (run === undefined) return;
      if (this.#options.isHeld(run.first, run.count) || this.#isRunning(run)) {
        this.#queue.splice(index, 1);
      } else if (!this.#options.isReady(run)) {
        index += 1;
      } else if (this.#options.pool.take(this.#onFree)) {
        this.#queue.splice(index, 1);
        this.begin(run);
      } else {
        return;
      }
    }
  }

  /** Starts a run in a slot that was taken for it. */
  begin(run: Run, opened?: OpenBody): Transfer {
    const transfer = this.#options.start(run, opened);
    this.#running.add(transfer);
    for (let piece = run.first; piece < run.first + Math.min(run.count, 4096); piece += 1) {
      if (!this.#inFlight.has(piece)) this.#inFlight.set(piece, transfer);
    }
    void transfer.ended.then((end) => {
      this.#running.delete(transfer);
      for (const [piece, owner] of this.#inFlight) if (owner === transfer) this.#inFlight.delete(piece);
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

  /** Takes a piece away from the transfer that writes it; resolves when that one writes no more. */
  async seize(piece: number): Promise<void> {
    const owner = this.#inFlight.get(piece);
    owner?.abort();
    await owner?.ended;
  }

  /** Stops everything; resolves when nothing runs and nothing will be written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue = [];
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
