import type { HostId } from '../core/ids.ts';

/** Who says the same of a piece beyond so many is not remembered. */
const MOST_HOSTS = 8;

/** Who says the hash of a piece, and the number of that claim. */
interface Claim {
  readonly host: HostId;
  readonly number: number;
}

/** The hash of a piece as hosts say it that were not leased the piece: little, for a host may say it of all there can be. */
interface Supposed {
  readonly hash: Uint8Array;
  /** The one who said it first, and the others. */
  readonly first: Claim;
  others: Claim[] | undefined;
  isUsed: boolean;
}

function* claimsOf({ first, others = [] }: Supposed): Generator<Claim> {
  yield first;
  yield* others;
}

function claimOf(supposed: Supposed | undefined, host: HostId): Claim | undefined {
  if (supposed?.first.host === host) return supposed.first;
  return supposed?.others?.find((claim) => claim.host === host);
}

function hostsOf(supposed: Supposed): HostId[] {
  return [...claimsOf(supposed)].map(({ host }) => host);
}

/** The pieces whose unproven hash fell: those where it was told to others, and the rest. */
export interface FallenPieces {
  readonly told: readonly number[];
  readonly untold: readonly number[];
}

/**
 * Hashes from hosts that were not leased their pieces, where nothing better is known: used in need, never logged. A lie
 * among them makes all of them fall, and no more is taken, so that many liars cost as much as one.
 */
export class UnprovenClaims {
  readonly #pieces = new Map<number, Supposed>();
  #isClosed = false;
  #end = 0;

  get size(): number {
    return this.#pieces.size;
  }

  /** The number of the last claim. */
  get end(): number {
    return this.#end;
  }

  /** Takes a host's word; returns whether it was taken, or contradicts another's: nobody can tell who of them lies. */
  suppose(host: HostId, piece: number, hash: Uint8Array): 'taken' | 'closed' | 'contradicted' {
    if (this.#isClosed) return 'closed';
    const known = this.#pieces.get(piece);
    if (known !== undefined && Buffer.compare(known.hash, hash) !== 0) return 'contradicted';
    if (claimOf(known, host) !== undefined || (known?.others?.length ?? 0) >= MOST_HOSTS - 1) return 'taken';
    this.#end += 1;
    const claim = { host, number: this.#end };
    if (known === undefined)
      this.#pieces.set(piece, { hash, first: claim, others: undefined, isUsed: false });
    else known.others = [...(known.others ?? []), claim];
    return 'taken';
  }

  /** Takes out a piece that was read; where the read contradicts what hosts said of it, it returns these and is to `fall`. */
  settle(piece: number, hash: Uint8Array): HostId[] {
    const supposed = this.#pieces.get(piece);
    if (supposed === undefined) return [];
    if (Buffer.compare(supposed.hash, hash) !== 0) return hostsOf(supposed);
    this.#pieces.delete(piece);
    return [];
  }

  /** Forgets everything, and takes no more of it. */
  fall(): FallenPieces {
    this.#isClosed = true;
    const told: number[] = [];
    const untold: number[] = [];
    for (const [piece, { isUsed }] of this.#pieces) (isUsed ? told : untold).push(piece);
    this.#pieces.clear();
    return { told, untold };
  }

  /** Another download begins: more is taken again. */
  reopen(): void {
    this.#isClosed = false;
  }

  has(piece: number): boolean {
    return this.#pieces.has(piece);
  }

  /** Whether the host is one of those that say the hash of the piece. */
  isFrom(host: HostId, piece: number): boolean {
    return claimOf(this.#pieces.get(piece), host) !== undefined;
  }

  /** The pieces whose hash a host says, alone or with others. */
  of(host: HostId): number[] {
    const pieces: number[] = [];
    for (const [piece, supposed] of this.#pieces)
      if (claimOf(supposed, host) !== undefined) pieces.push(piece);
    return pieces;
  }

  /** Whether any hash was told to others. */
  get isUsed(): boolean {
    for (const { isUsed } of this.#pieces.values()) if (isUsed) return true;
    return false;
  }

  /** The hash, where it was told to others. */
  usedHash(piece: number): Uint8Array | undefined {
    const supposed = this.#pieces.get(piece);
    return supposed?.isUsed ? supposed.hash : undefined;
  }

  /** A hash is told to others from now on; undefined where it was before, or there is none. */
  use(piece: number): Uint8Array | undefined {
    const supposed = this.#pieces.get(piece);
    if (supposed === undefined || supposed.isUsed) return undefined;
    supposed.isUsed = true;
    return supposed.hash;
  }

  /** Takes out what a host said up to the claim of that number. */
  take(host: HostId, end: number): { piece: number; hash: Uint8Array; hosts: HostId[] }[] {
    const taken: { piece: number; hash: Uint8Array; hosts: HostId[] }[] = [];
    for (const [piece, supposed] of this.#pieces) {
      if ((claimOf(supposed, host)?.number ?? Number.POSITIVE_INFINITY) > end) continue;
      this.#pieces.delete(piece);
      taken.push({ piece, hash: supposed.hash, hosts: hostsOf(supposed) });
    }
    return taken;
  }
}
