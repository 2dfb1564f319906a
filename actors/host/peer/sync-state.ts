import { type PieceHash, packHashes } from '../../../core/hash-page.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Probed } from '../../../core/probed.ts';
import type { LeaseSet, PieceFailure, SyncRequest } from '../../../core/sync-messages.ts';
import type { PeerContent } from './content.ts';

/** The parts of a sync that the peer knows beside its content. */
export type SyncFacts = Pick<
  SyncRequest,
  | 'running'
  | 'queued'
  | 'freeSlots'
  | 'transferBytesPerSec'
  | 'wants'
  | 'mayReadOrigin'
  | 'adrift'
  | 'received'
  | 'originReasons'
  | 'fencedBy'
> & {
  readonly urgent: number | undefined;
  /** Whether the whole contradicts the digest, and nobody has said yet what to read again. */
  readonly contradicted: boolean;
};

/** Pieces in one delta at most; the rest waits for the next sync. */
const ADDED_AT_ONCE = 16_384;

type Mismatch = NonNullable<SyncRequest['mismatch']>;

/** What one sync said, until it is acknowledged. */
interface Draft {
  readonly seq: number;
  readonly wants: boolean;
  readonly added: number;
  readonly failures: number;
  readonly rechecked: number;
  readonly sources: number;
  readonly hashes: number;
  /** The epoch whose scheduler the hashes were counted for. */
  readonly epoch: number;
  readonly mismatch: Mismatch | undefined;
  readonly probed: Probed | undefined;
}

/**
 * What the scheduler has been told and has acknowledged. A lost reply loses nothing: whatever is not acknowledged
 * is said again, relative to the last base that was.
 */
export class SyncState {
  readonly #incarnation: number;
  readonly #content: PeerContent;
  readonly #nextSeq: () => number;
  /** Last acknowledged sync; 0: the next one says everything. */
  #base = 0;
  /** Pieces stored since the base, and what else is to be told. */
  #added: number[] = [];
  #failures: PieceFailure[] = [];
  /** Hashes of all pieces read from an origin here, and how many of them this epoch has been told. */
  readonly #originHashes: PieceHash[] = [];
  #hashesTold = 0;
  #sourcesTold = 0;
  #restIsKnown = false;
  #mismatch: Mismatch | undefined;
  /** Pieces that are being hashed again, or were and no scheduler has heard. */
  readonly #suspects = new Set<number>();
  #rechecked: number[] = [];
  #probed: Probed | undefined;
  #draft: Draft | undefined;
  seen = { epoch: 0, number: 0 };
  hashCursor = 0;
  claim = 0;

  /** @param nextSeq gives a larger number each time, in all the life of the daemon: a task may be taken up again. */
  constructor(incarnation: number, content: PeerContent, nextSeq: () => number) {
    this.#incarnation = incarnation;
    this.#nextSeq = nextSeq;
    this.#content = content;
  }

  stored(piece: number): void {
    this.#added.push(piece);
  }

  readFromOrigin(piece: number, hash: Uint8Array): void {
    this.#originHashes.push({ piece, hash });
  }

  failed(failure: PieceFailure): void {
    if (this.#failures.length < 256) this.#failures.push(failure);
  }

  probed(probed: Probed): void {
    this.#probed = probed;
  }

  mismatched(agreed: number[], differed: number[]): void {
    this.#mismatch = { agreed, differed };
  }

  /** Takes up pieces to hash again; returns those that are not being hashed already. */
  suspects(pieces: readonly number[]): number[] {
    const fresh = pieces.filter((piece) => !this.#suspects.has(piece));
    for (const piece of fresh) this.#suspects.add(piece);
    return fresh;
  }

  rechecked(pieces: readonly number[]): void {
    this.#rechecked.push(...pieces);
  }

  /** Whether samples were read of which no scheduler has heard. */
  get owesSamples(): boolean {
    return this.#mismatch !== undefined;
  }

  /** The next sync says everything: pieces were dropped, or the scheduler does not know the base. */
  startOver(): void {
    this.#base = 0;
    this.#added = [];
    this.#sourcesTold = 0;
    this.#draft = undefined;
  }

  /** Forgets what was read from the origin: the claim was dropped. */
  forgetClaim(): void {
    this.startOver();
    this.#originHashes.length = 0;
    this.#hashesTold = 0;
    this.hashCursor = 0;
    this.#mismatch = undefined;
  }

  /** Whether something waits to be told that others wait for. */
  get hasNews(): boolean {
    const untold = this.#originHashes.length > this.#hashesTold;
    if (untold || this.#added.length > 0 || this.#rechecked.length > 0) return true;
    return this.#failures.length > 0 || this.#mismatch !== undefined;
  }

  /** Whether a scheduler has acknowledged that nothing is wanted here, and all else that there is to tell. */
  get restIsKnown(): boolean {
    return this.#restIsKnown && !this.hasNews;
  }

  request({ contradicted, ...facts }: SyncFacts): SyncRequest {
    const { stored, length, pieceLength, sources } = this.#content;
    const seq = this.#nextSeq();
    if (facts.wants) this.#restIsKnown = false;
    const hashes = this.#originHashes.slice(this.#hashesTold, this.#hashesTold + LIMITS.hashesPerPage);
    this.#draft = {
      seq,
      wants: facts.wants,
      added: Math.min(this.#added.length, ADDED_AT_ONCE),
      failures: this.#failures.length,
      rechecked: this.#rechecked.length,
      sources: sources.length,
      hashes: hashes.length,
      epoch: this.seen.epoch,
      mismatch: this.#mismatch,
      probed: this.#probed,
    };
    const full = this.#base === 0;
    return {
      ...facts,
      incarnation: this.#incarnation,
      seq,
      base: this.#base,
      have: full && stored ? stored.have.toBytes() : undefined,
      added: full ? [] : this.#added.slice(0, ADDED_AT_ONCE),
      length,
      pieceLength,
      sources: sources.length > this.#sourcesTold ? sources.slice(0, 16) : [],
      probed: this.#probed,
      failures: [...this.#failures],
      rechecked: this.#rechecked.length > 0 ? [...this.#rechecked] : undefined,
      hashes: hashes.length > 0 ? packHashes(hashes) : undefined,
      hashCursor: this.hashCursor,
      seen: this.seen,
      mismatch: this.#mismatch ?? (contradicted ? { agreed: [], differed: [] } : undefined),
    };
  }

  /** The sync of this number was answered under this epoch. */
  acknowledged(seq: number, epoch: number): void {
    const draft = this.#draft;
    if (draft?.seq !== seq) return;
    this.#draft = undefined;
    this.#restIsKnown = !draft.wants;
    this.#added.splice(0, draft.added);
    this.#failures.splice(0, draft.failures);
    for (const piece of this.#rechecked.splice(0, draft.rechecked)) this.#suspects.delete(piece);
    this.#sourcesTold = draft.sources;
    // A push of a scheduler just born may have begun the count anew since.
    if (draft.epoch === epoch && this.seen.epoch === epoch) this.#hashesTold += draft.hashes;
    if (this.#mismatch === draft.mismatch) this.#mismatch = undefined;
    if (this.#probed === draft.probed) this.#probed = undefined;
    this.#base = seq;
  }

  /** Whether a lease set is newer than all before; remembers it if so. */
  accept(set: Pick<LeaseSet, 'epoch' | 'number'>): boolean {
    if (set.epoch < this.seen.epoch) return false;
    if (set.epoch === this.seen.epoch && set.number <= this.seen.number) return false;
    if (set.epoch > this.seen.epoch) {
      // A scheduler just born is told again what was read here, and its log of hashes is read from the start.
      this.hashCursor = 0;
      this.#hashesTold = 0;
      this.claim = 0;
    }
    this.seen = { epoch: set.epoch, number: set.number };
    return true;
  }
}
