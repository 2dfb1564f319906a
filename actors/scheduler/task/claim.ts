import { Bitfield } from '../../../core/bitfield.ts';
import { unpackHashes } from '../../../core/hash-page.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import { Claims } from '../../../scheduling/claims.ts';
import { Ledger } from '../../../scheduling/ledger.ts';
import type { Report } from '../../../scheduling/ledger-types.ts';
import type { TaskReads } from '../../../scheduling/origin-reads.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskContent } from './content.ts';
import type { TaskPeer } from './peer.ts';
import { Unvouched } from './unvouched.ts';

/**
 * All that rests on the word of one source: the hashes of its pieces, and who holds them. It falls as a whole where
 * the content contradicts the digest.
 */
export class TaskClaim {
  /** Counts the claims, from 1. */
  number = 1;
  readonly reads: TaskReads;
  /** Hosts that could be given nothing may be given something now. */
  onFree: () => void = () => {};
  ledger: Ledger;
  claims = new Claims();
  readonly #world: SchedulerWorld;
  readonly #content: TaskContent;
  /** Who holds pieces whose hash nobody has vouched for: they are not given to others yet. */
  readonly #unvouched = new Unvouched();

  constructor(world: SchedulerWorld, content: TaskContent) {
    this.#world = world;
    this.#content = content;
    this.reads = world.reads.task(() => content.origin);
    this.reads.onFree = () => this.onFree();
    this.ledger = this.#newLedger();
  }

  #newLedger(): Ledger {
    const { random, slots } = this.#world;
    return new Ledger({ random, slots, reads: this.reads, ranges: true, onFree: () => this.onFree() });
  }

  /** Begins from nothing. */
  drop(): void {
    this.number += 1;
    this.claims = new Claims();
    this.#unvouched.clear();
    for (const hostId of [...this.ledger.hosts()]) this.ledger.leave(hostId);
    this.ledger = this.#newLedger();
  }

  lose(hostId: HostId): void {
    this.ledger.leave(hostId);
    this.#unvouched.lose(hostId);
  }

  /** The task is over: nobody holds a lease or a slot of it, and nobody is told of one that came free. */
  release(): void {
    this.onFree = () => {};
    for (const hostId of this.ledger.hosts()) this.ledger.leave(hostId);
  }

  /** What others can be given of the pieces that a host holds. */
  vouchedBits(hostId: HostId, bits: Bitfield): Bitfield {
    const vouched = new Bitfield(bits.length);
    for (const piece of this.#vouchedOf(hostId, bits.ones())) vouched.add(piece);
    return vouched;
  }

  /** What a sync says that its sender holds, as the ledger takes it, and whether it is anything. */
  holdings(
    hostId: HostId,
    { base, have, added }: SyncRequest,
  ): Pick<Report, 'holds' | 'added'> & { any: boolean } {
    if (base !== 0) return { added: this.#vouchedOf(hostId, added), any: added.length > 0 };
    const bits = this.#bits(have);
    if (bits === undefined) return { any: false };
    return { holds: this.vouchedBits(hostId, bits), any: bits.count > 0 };
  }

  #bits(have: Uint8Array | undefined): Bitfield | undefined {
    if (have === undefined || have.length * 8 > LIMITS.piecesPerTask + 7) return undefined;
    const pieces = this.#content.pieces ?? have.length * 8;
    return have.length === Math.ceil(pieces / 8) ? new Bitfield(pieces, have) : undefined;
  }

  /** The pieces that others can be given, for their hash is known; the rest is remembered. */
  #vouchedOf(hostId: HostId, pieces: Iterable<number>): number[] {
    const vouched: number[] = [];
    for (const piece of pieces) {
      if (this.claims.hashOf(piece) !== undefined) vouched.push(piece);
      else if (piece < LIMITS.piecesPerTask) this.#unvouched.add(piece, hostId);
    }
    return vouched;
  }

  /**
   * Hashes are believed of a host that was leased the piece from the origin; of others only where none is known.
   * Returns whether there were any.
   */
  takeHashes(hostId: HostId, peer: TaskPeer, request: SyncRequest): boolean {
    const hashes = unpackHashes(request.hashes ?? new Uint8Array()) ?? [];
    const { taskId } = this.#content;
    for (const { piece, hash } of hashes) {
      const leased = peer.probes || peer.inherited.has(piece) || this.ledger.readOrigin(hostId, piece);
      const verdict = this.claims.claim(hostId, piece, hash, leased || peer.veteran || request.adrift);
      if (verdict === 'new') this.#vouched(piece);
      if (verdict === 'conflict') {
        this.#world.log.warn({ taskId, hostId, piece }, 'two reads of the origin disagree');
        this.ledger.disprove(piece);
      }
    }
    return hashes.length > 0;
  }

  #vouched(piece: number): void {
    for (const hostId of this.#unvouched.take(piece)) this.ledger.add(hostId, [piece]);
  }
}
