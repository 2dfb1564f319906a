import { isDeepStrictEqual } from 'node:util';
import type { HostAddress } from '../../../core/host.ts';
import { LIMITS } from '../../../core/limits.ts';
import { covers, type Run, sameParent } from '../../../core/run.ts';
import type { OpenBody } from '../../../origins/origin.ts';
import { PieceActor, type PieceGround } from '../piece/piece.ts';
import type { SlotPool } from '../slot-pool.ts';

interface LeaseBookOptions extends Pick<PieceGround, 'expected' | 'transfer' | 'onStored'> {
  readonly pool: SlotPool;
  /** Whether a run has nothing missing any more. */
  readonly isHeld: (first: number, count: number) => boolean;
  /** Whether every hash that a run from this parent needs is known. */
  readonly isReady: (run: Run) => boolean;
  /** A lease that had a slot ended, and gave it back. */
  readonly onEnd: (lease: PieceActor) => void;
}

/** Pieces of one transfer told as running at most: a stream of unknown length has no end of them. */
const TOLD_AT_ONCE = 4096;

/** The leases a host was given in one task: those that wait for a slot, and those that have one. */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #ground: PieceGround;
  /**
   * In the order in which they are to begin. Bodies of an origin that are open already come first, unread, and count
   * as in flight: to ask again would have it send them twice.
   */
  #waiting: PieceActor[] = [];
  /** In the order in which they began. */
  readonly #running = new Set<PieceActor>();
  readonly #onFree = () => this.pump();
  #stopped = false;
  /** How many transfers may run from the origin. @see LeaseSet.originAtOnce */
  originAtOnce: number = LIMITS.originLeasesPerHost;

  constructor(options: LeaseBookOptions) {
    const { expected, transfer, onStored } = options;
    this.#options = options;
    this.#ground = {
      expected,
      transfer,
      onStored,
      seize: (lease) => this.#seize(lease),
      dropHedges: (piece) => this.#dropHedges(piece),
      onEnd: (lease) => this.#ended(lease),
    };
  }

  /** Leases that run, and those that only wait for a slot with their body open. */
  get runningCount(): number {
    return this.#running.size + this.#opened().length;
  }

  get queuedCount(): number {
    return this.#waiting.length - this.#opened().length;
  }

  #opened(): PieceActor[] {
    return this.#waiting.filter(({ state }) => state === 'opened');
  }

  #inFlight(): PieceActor[] {
    return [...this.#running, ...this.#opened()];
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
    return this.#waiting
      .filter(({ state }) => state === 'queued')
      .flatMap(({ run: { first, count } }) => Array.from({ length: count }, (_, index) => first + index));
  }

  isInFlight(piece: number): boolean {
    for (const { run } of this.#running) if (covers(run, piece)) return true;
    return this.#opened().some(({ run }) => covers(run, piece));
  }

  /** How many transfers run from this parent. */
  runningFrom(parent: HostAddress | 'origin'): number {
    let count = 0;
    for (const { run } of this.#running) if (sameParent(run, { from: parent })) count += 1;
    return count;
  }

  /** Replaces what waits by the scheduler's whole set; what runs goes on. Returns how many are new. */
  replace(runs: readonly Run[]): number {
    const before = new Set(this.queuedPieces());
    const known = this.#waiting.filter(({ state }) => state === 'queued');
    const queue = runs
      .flatMap((run) => this.#missing(run))
      .map((run) => taken(known, run) ?? new PieceActor(this.#ground, run));
    for (const lease of known) lease.send({ type: 'lease.dropped' });
    this.#waiting = [...this.#opened(), ...queue];
    this.pump();
    return queue.filter(({ run: { first } }) => !before.has(first)).length;
  }

  /** What of a run is neither there nor in flight, as runs: no piece is written by two transfers. */
  #missing(run: Run): Run[] {
    if (this.#options.isHeld(run.first, run.count)) return [];
    const flying = this.#inFlight().filter((lease) => overlap(lease.run, run));
    if (run.hedge) return flying.every((lease) => lease.takes(run)) ? [run] : [];
    // It may be a stream, which can only be read from its start.
    if (run.from === 'origin' && run.first === 0)
      return flying.some((lease) => covers(lease.run, 0)) ? [] : [run];
    const parts: Run[] = [];
    let first: number | undefined;
    let last = 0;
    for (let piece = run.first; piece < run.first + run.count; piece += 1) {
      if (flying.some((lease) => covers(lease.run, piece))) {
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

  /** A lease whose turn has come, cut to what is missing by now. */
  #cut(lease: PieceActor): PieceActor[] {
    if (lease.state === 'opened') return [lease];
    const parts = this.#missing(lease.run);
    const [part] = parts;
    if (parts.length === 1 && isDeepStrictEqual(part, lease.run)) return [lease];
    lease.send({ type: 'lease.dropped' });
    return parts.map((run) => new PieceActor(this.#ground, run));
  }

  /** Whether nothing of a run is in flight. A stream waits for that: it cannot leave pieces out. */
  isFree(run: Run): boolean {
    return run.hedge || !this.#inFlight().some((lease) => overlap(lease.run, run));
  }

  /** Leases of the origin beyond those that may run wait for one of them: more at once only make each slower. */
  #isOriginBusy({ from, hedge }: Run): boolean {
    return from === 'origin' && !hedge && this.runningFrom('origin') >= this.originAtOnce;
  }

  #mayBegin({ state, run }: PieceActor): boolean {
    if (state === 'opened') return true;
    return this.isFree(run) && this.#options.isReady(run) && !this.#isOriginBusy(run);
  }

  /** Starts what waits, as far as there are slots. */
  pump(): void {
    for (let index = 0; index < this.#waiting.length && !this.#stopped; ) {
      const parts = this.#waiting.slice(index, index + 1).flatMap((waiting) => this.#cut(waiting));
      this.#waiting.splice(index, 1, ...parts);
      const [lease] = parts;
      if (lease === undefined) continue;
      if (!this.#mayBegin(lease)) {
        index += 1;
      } else if (this.#options.pool.take(this.#onFree)) {
        this.#waiting.splice(index, 1);
        this.#begin(lease);
      } else {
        return;
      }
    }
  }

  /** Reads a body that is open, as soon as there is a slot. */
  open(run: Run, body: OpenBody): void {
    if (this.#stopped) return body.discard();
    this.#waiting.splice(this.#opened().length, 0, new PieceActor(this.#ground, run, body));
    this.pump();
  }

  /** Starts a run in a slot that was taken for it. */
  begin(run: Run): void {
    this.#begin(new PieceActor(this.#ground, run));
  }

  #begin(lease: PieceActor): void {
    const { run } = lease;
    if (run.hedge) for (const late of this.#late(run.first)) late.send({ type: 'hedge.begun', hedge: run });
    this.#running.add(lease);
    lease.send({ type: 'slot.given' });
  }

  #ended(lease: PieceActor): void {
    if (!this.#running.delete(lease)) return;
    this.#options.pool.release();
    this.#options.onEnd(lease);
    this.pump();
  }

  /** The lease that writes a piece, or is to: at most one. */
  #late(piece: number): PieceActor[] {
    return [...this.#running].filter(({ run }) => !run.hedge && covers(run, piece));
  }

  #dropHedges(piece: number): void {
    for (const lease of this.#running) {
      if (lease.run.hedge && lease.run.first === piece) lease.send({ type: 'lease.dropped' });
    }
  }

  async #seize({ run }: PieceActor): Promise<void> {
    for (const late of this.#late(run.first)) {
      late.send({ type: 'hedge.proved' });
      await late.ended;
    }
  }

  /** Stops everything; resolves when nothing runs and nothing will be written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.pool.forget(this.#onFree);
    const leases = [...this.#running, ...this.#waiting.splice(0)];
    for (const lease of leases) lease.send({ type: 'lease.dropped' });
    await Promise.all(leases.map(({ ended }) => ended));
  }
}

function overlap(a: Run, b: Run): boolean {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}

/** Takes the lease of this very run out of the list, where it is there. */
function taken(leases: PieceActor[], run: Run): PieceActor | undefined {
  const index = leases.findIndex((lease) => isDeepStrictEqual(lease.run, run));
  return index < 0 ? undefined : leases.splice(index, 1)[0];
}
