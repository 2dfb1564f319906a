import { Bitfield } from '../../../core/bitfield.ts';
import { unpackHashes } from '../../../core/hash-page.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import { Claims, type Fallen } from '../../../scheduling/claims.ts';
import { Ledger } from '../../../scheduling/ledger.ts';
import type { Report } from '../../../scheduling/ledger-types.ts';
import type { TaskReads } from '../../../scheduling/origin-reads.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskContent } from './content.ts';
import { Proofs } from './proofs.ts';
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
  claims: Claims;
  readonly proofs: Proofs;
  readonly #world: SchedulerWorld;
  readonly #content: TaskContent;
  /** Who holds pieces whose hash nobody has vouched for: they are not given to others yet. */
  readonly #unvouched = new Unvouched();
  /** Hosts that this scheduler had ask the origin: they read its first bytes. */
  readonly #askers = new Set<HostId>();

  constructor(world: SchedulerWorld, content: TaskContent) {
    this.#world = world;
    this.#content = content;
    this.reads = world.reads.task(() => content.origin);
    this.reads.onFree = () => this.onFree();
    this.ledger = this.#newLedger();
    this.claims = this.#newClaims();
    this.proofs = new Proofs({
      world,
      content,
      claims: () => this.claims,
      ledger: () => this.ledger,
      holds: (hostId, piece) => this.#unvouched.holds(hostId, piece),
      onUsable: (pieces) => this.#usable(pieces),
      onDue: () => this.onFree(),
    });
  }

  #newLedger(): Ledger {
    const { random, slots } = this.#world;
    return new Ledger({ random, slots, reads: this.reads, ranges: true, onFree: () => this.onFree() });
  }

  #newClaims(): Claims {
    return new Claims((fallen) => this.#fell(fallen));
  }

  /** Begins from nothing. */
  drop(): void {
    this.number += 1;
    this.claims = this.#newClaims();
    this.proofs.clear();
    this.#unvouched.clear();
    this.#askers.clear();
    for (const hostId of [...this.ledger.hosts()]) this.ledger.leave(hostId);
    this.ledger = this.#newLedger();
  }

  lose(hostId: HostId): void {
    this.ledger.leave(hostId);
    this.#askers.delete(hostId);
    for (const piece of this.#unvouched.lose(hostId)) this.ledger.withhold(piece, false);
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

  /** All that a host holds, others can be given it or not; undefined while the length is unknown, or for a stranger. */
  heldBits(hostId: HostId): Bitfield | undefined {
    const bits = this.ledger.bits(hostId);
    for (const piece of bits ? this.#unvouched.of(hostId) : []) bits?.add(piece);
    return bits;
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
    const { unproven } = this.claims;
    for (const piece of pieces) {
      if (unproven.has(piece) && this.proofs.mayUse(piece)) this.claims.use(piece);
      if (this.claims.hashOf(piece) !== undefined) vouched.push(piece);
      else if (piece < LIMITS.piecesPerTask) {
        this.#unvouched.add(hostId, piece);
        if (unproven.has(piece)) this.ledger.withhold(piece, true);
      }
    }
    return vouched;
  }

  /** This scheduler has the host ask the origin: what it reads of the first bytes is as good as leased. */
  asks(hostId: HostId): void {
    this.#askers.add(hostId);
  }

  /** Whether this scheduler had the host read the piece from the origin. */
  #hadRead(hostId: HostId, piece: number): boolean {
    if (this.ledger.readOrigin(hostId, piece)) return true;
    if (!this.#askers.has(hostId)) return false;
    const { probed, pieceLength } = this.#content;
    return probed?.ranges === false || piece * (pieceLength ?? 0) < LIMITS.resolveBytes;
  }

  /**
   * Hashes are believed of a host that was leased the piece from the origin, whatever else it says of itself; of others
   * they are unproven, and only where nothing better is known. Returns whether there were any.
   */
  takeHashes(hostId: HostId, request: SyncRequest): boolean {
    const hashes = unpackHashes(request.hashes ?? new Uint8Array()) ?? [];
    const { taskId } = this.#content;
    for (const { piece, hash } of hashes) {
      const hadRead = this.#hadRead(hostId, piece);
      const verdict = this.claims.claim(hostId, piece, hash, hadRead);
      if (verdict === 'new') this.#vouched(piece);
      if (verdict === 'unproven') this.#supposed(hostId, piece);
      if (verdict === 'conflict') {
        this.#world.log.warn({ taskId, hostId, piece }, 'two reads of the origin disagree');
        this.ledger.disprove(piece);
      } else if (hadRead) this.proofs.read(hostId, piece);
    }
    return hashes.length > 0;
  }

  #vouched(piece: number): void {
    this.ledger.withhold(piece, false);
    for (const hostId of this.#unvouched.take(piece)) this.ledger.add(hostId, [piece]);
  }

  /** A host told a hash that it was not to read. */
  #supposed(hostId: HostId, piece: number): void {
    this.proofs.told(hostId);
    if (!this.#unvouched.has(piece)) return;
    if (this.proofs.mayUse(piece)) this.#usable([piece]);
    else this.ledger.withhold(piece, true);
  }

  /** The pieces can be given to others by those who hold them. */
  #usable(pieces: readonly number[]): void {
    for (const piece of pieces) {
      if (!this.#unvouched.has(piece)) continue;
      this.claims.use(piece);
      this.#vouched(piece);
    }
    this.onFree();
  }

  /** One that was not to read told a lie: nothing of the kind counts, and the liar, where it is known, serves nobody. */
  #fell({ told, untold, liars }: Fallen): void {
    const { taskId } = this.#content;
    this.#world.log.warn(
      { taskId, liars, pieces: told.length },
      'hashes that nobody was leased proved false',
    );
    this.proofs.clear();
    for (const piece of untold) this.ledger.withhold(piece, false);
    for (const piece of told) this.ledger.disprove(piece);
    for (const hostId of liars) this.ledger.quarantine(hostId);
    this.onFree();
  }

  /** Nobody works on the task: what hosts told falsely counts no more against those of the next download. */
  forgive(): void {
    this.claims.unproven.reopen();
  }
}
