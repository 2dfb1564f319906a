import { type Actor, createActor } from 'xstate';
import { toShoalError } from '../../../core/errors.ts';
import { type LeaseFailure, leaseFailure } from '../../../core/lease-failure.ts';
import type { Run } from '../../../core/run.ts';
import { type PieceEffects, type PieceEvent, pieceMachine } from '../../../machines/host/piece.ts';
import type { OpenBody } from '../../../origins/origin.ts';

/** Moves the bytes of one lease; each step rejects when the signal aborts, and writes nothing after it has ended. */
export interface PieceTransfer {
  readonly bytes: number;
  readonly durationMs: number;
  /** Moves the bytes to their place. */
  read(): Promise<void>;
  /** Fetches them into memory; resolves with their SHA-256. */
  hold(): Promise<Uint8Array>;
  /** Moves what is held to its place. */
  land(): Promise<void>;
  /** Records a piece that was moved to its place. @throws ERR_STORE_FULL, ERR_STORE_IO */
  commit(piece: number, hash: Uint8Array, length: number): void;
}

/** What a transfer knows of its lease. */
export interface MovedLease {
  readonly run: Run;
  /** The origin's answer, where it was asked before the lease began. */
  readonly body: OpenBody | undefined;
  readonly signal: AbortSignal;
  /** All bytes of a piece are in their place. */
  came(piece: number, hash: Uint8Array, length: number): void;
}

/** What all leases of a peer share. */
export interface PieceGround {
  expected(piece: number): Uint8Array | undefined;
  /** @throws ShoalError where it cannot begin */
  transfer(lease: MovedLease): PieceTransfer;
  onStored(run: Run, piece: number, hash: Uint8Array, length: number): void;
  seize(lease: PieceActor): Promise<void>;
  dropHedges(piece: number): void;
  /** The lease came to its end, whatever that is; nothing of it will be written. */
  onEnd(lease: PieceActor): void;
}

/** The pieces of one lease: the chart that is in charge of them, and the transfer that it has run. */
export class PieceActor implements MovedLease {
  readonly run: Run;
  readonly body: OpenBody | undefined;
  /** Resolves when the lease has ended. */
  readonly ended: Promise<void>;
  readonly #ground: PieceGround;
  readonly #actor: Actor<typeof pieceMachine>;
  /** Made when it is first asked for: many leases wait, and never begin. */
  #abort: AbortController | undefined;
  #transfer: PieceTransfer | undefined;
  #crash: LeaseFailure | undefined;

  constructor(ground: PieceGround, run: Run, body?: OpenBody) {
    this.run = run;
    this.body = body;
    this.#ground = ground;
    this.#actor = createActor(pieceMachine, { input: { run, effects: this.#effects() } });
    this.ended = new Promise((resolve) => {
      const end = () => {
        ground.onEnd(this);
        resolve();
      };
      this.#actor.subscribe({
        complete: end,
        error: (thrown) => {
          this.#crash = leaseFailure(toShoalError(thrown));
          this.#abort?.abort(thrown);
          end();
        },
      });
    });
    this.#actor.start();
    if (body !== undefined) this.send({ type: 'body.opened' });
  }

  get state() {
    return this.#actor.getSnapshot().value;
  }

  /** Why it failed; undefined for one that did not. */
  get failure(): LeaseFailure | undefined {
    return this.state === 'failed' ? this.#actor.getSnapshot().context.failure : this.#crash;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  get bytes(): number {
    return this.#transfer?.bytes ?? 0;
  }

  get durationMs(): number {
    return this.#transfer?.durationMs ?? 0;
  }

  send(event: PieceEvent): void {
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send(event);
  }

  /** Whether a hedge of one of its pieces may be begun. */
  takes(hedge: Run): boolean {
    return this.#actor.getSnapshot().can({ type: 'hedge.begun', hedge });
  }

  came(piece: number, hash: Uint8Array, length: number): void {
    this.send({ type: 'piece.came', piece, hash, length });
  }

  #effects(): PieceEffects {
    const ground = this.#ground;
    const ended = { type: 'transfer.ended' } as const;
    return {
      expected: (piece) => ground.expected(piece),
      read: () => void this.#move((transfer) => transfer.read().then(() => ended)),
      hold: () => void this.#move(async (transfer) => ({ type: 'bytes.held', hash: await transfer.hold() })),
      land: () => void this.#move((transfer) => transfer.land().then(() => ended)),
      seize: () => ground.seize(this),
      record: (piece, hash, length) => this.#record(piece, hash, length),
      dropHedges: (piece) => ground.dropHedges(piece),
      abort: (error) => this.#abort?.abort(error),
      discard: () => this.body?.discard(),
    };
  }

  /** One step of the transfer, and what it came to. */
  async #move(step: (transfer: PieceTransfer) => Promise<PieceEvent>): Promise<void> {
    let event: PieceEvent;
    try {
      this.#transfer ??= this.#ground.transfer(this);
      event = await step(this.#transfer);
    } catch (thrown) {
      this.body?.discard();
      event = { type: 'transfer.ended', error: toShoalError(thrown) };
    }
    this.send(event);
  }

  #record(piece: number, hash: Uint8Array, length: number): void {
    try {
      this.#transfer?.commit(piece, hash, length);
      this.#ground.onStored(this.run, piece, hash, length);
    } catch (thrown) {
      this.send({ type: 'record.failed', error: toShoalError(thrown) });
    }
  }
}
