import type { HostId } from '../core/ids.ts';

/** Who says the same of a piece beyond so many is not remembered. */
const MOST_HOSTS = 8;

/** The hash of a piece as hosts say it that were not leased the piece. */
interface Supposed {
  readonly hash: Uint8Array;
  /** Who says so, and the number of that claim. */
  readonly hosts: Map<HostId, number>;
  isUsed: boolean;
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
    const supposed = known ?? { hash, hosts: new Map<HostId, number>(), isUsed: false };
    if (known === undefined) this.#pieces.set(piece, supposed);
    if (supposed.hosts.has(host) || supposed.hosts.size >= MOST_HOSTS) return 'taken';
    this.#end += 1;
    supposed.hosts.set(host, this.#end);
    return 'taken';
  }

  /** Takes out a piece that was read; where the read contradicts what hosts said of it, it returns these and is to `fall`. */
  settle(piece: number, hash: Uint8Array): HostId[] {
    const supposed = this.#pieces.get(piece);
    if (supposed === undefined) return [];
    if (Buffer.compare(supposed.hash, hash) !== 0) return [...supposed.hosts.keys()];
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
    return this.#pieces.get(piece)?.hosts.has(host) ?? false;
  }

  /** The pieces whose hash a host says, alone or with others. */
  of(host: HostId): number[] {
    const pieces: number[] = [];
    for (const [piece, { hosts }] of this.#pieces) if (hosts.has(host)) pieces.push(piece);
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
    for (const [piece, { hash, hosts }] of this.#pieces) {
      if ((hosts.get(host) ?? Number.POSITIVE_INFINITY) > end) continue;
      this.#pieces.delete(piece);
      taken.push({ piece, hash, hosts: [...hosts.keys()] });
    }
    return taken;
  }
}
