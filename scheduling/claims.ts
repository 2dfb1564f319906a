import type { PieceHash } from '../core/hash-page.ts';
import type { HostId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type FallenPieces, UnprovenClaims } from './unproven.ts';

const HASH_BYTES = 32;
const MOST_VERSIONS = 8;

/**
 * What became of a claim. `new`: believed from now on; `same`: as believed; `conflict`: contradicts another reader's, and
 * one more read is to settle it; `unproven`: not from a reader, and nothing better is known; `refused`: not from a reader,
 * and worth nothing.
 */
export type Verdict = 'new' | 'same' | 'conflict' | 'unproven' | 'refused';

/** A page of the log of hashes: `entries` from `from` on, and where the next page begins. */
export interface ClaimPage {
  readonly from: number;
  readonly next: number;
  readonly entries: readonly PieceHash[];
}

interface Version {
  readonly hash: Uint8Array;
  /** Hosts that read it so; none: it came from the task log. */
  readonly hosts: Set<HostId>;
}

interface Claimed {
  /** The hash believed; undefined while versions contradict each other. */
  hash: Uint8Array | undefined;
  readonly versions: Version[];
}

/** All unproven claims fell at once, because the word of these hosts was false; nobody, where it is not known whose. */
export interface Fallen extends FallenPieces {
  readonly liars: readonly HostId[];
}

/**
 * The hashes of a task's pieces and who read them so: one source's claim, from the hosts that held an origin lease, or
 * from the task log. What others say is kept apart, unproven, until a read contradicts any of it: then all of it falls,
 * and nothing more of the kind is taken. Its own log is only ever appended to, so that a reader of it needs one cursor.
 */
export class Claims {
  readonly unproven = new UnprovenClaims();
  readonly #pieces = new Map<number, Claimed>();
  readonly #log: PieceHash[] = [];
  readonly #onFall: (fallen: Fallen) => void;
  #proven = 0;

  constructor(onFall: (fallen: Fallen) => void = () => {}) {
    this.#onFall = onFall;
  }

  /** End of the log: the cursor of a reader that knows all. */
  get end(): number {
    return this.#log.length;
  }

  /** How many pieces have a hash that is believed. */
  get proven(): number {
    return this.#proven;
  }

  /** How many pieces have a hash, believed or not. */
  get known(): number {
    return this.#proven + this.unproven.size;
  }

  /**
   * Takes a host's word on a piece.
   * @param leased whether the host held an origin lease for the piece
   */
  claim(host: HostId, piece: number, hash: Uint8Array, leased: boolean): Verdict {
    if (!fits(piece, hash)) return 'refused';
    const claimed = this.#pieces.get(piece);
    const same = claimed?.hash !== undefined && equal(claimed.hash, hash);
    if (!leased) return same ? 'same' : claimed === undefined ? this.#suppose(host, piece, hash) : 'refused';
    if (claimed === undefined) {
      this.#judge(piece, hash);
      this.#pieces.set(piece, { hash: undefined, versions: [{ hash, hosts: new Set([host]) }] });
      this.#believe(piece, hash);
      return 'new';
    }
    const version = claimed.versions.find((known) => equal(known.hash, hash));
    if (same) {
      version?.hosts.add(host);
      return 'same';
    }
    if (claimed.hash !== undefined) this.#doubt(piece, claimed);
    // What only the log says has nobody who could read it again.
    const others = claimed.versions.some((other) => other !== version && other.hosts.size > 0);
    if (version !== undefined && (!version.hosts.has(host) || !others)) {
      version.hosts.add(host);
      this.#believe(piece, hash);
      return 'new';
    }
    if (version === undefined && claimed.versions.length < MOST_VERSIONS) {
      claimed.versions.push({ hash: hash.slice(), hosts: new Set([host]) });
    }
    return 'conflict';
  }

  /** The word of a host that was not to read the piece, where no reader's is known. */
  #suppose(host: HostId, piece: number, hash: Uint8Array): Verdict {
    const supposed = this.unproven.suppose(host, piece, hash);
    if (supposed === 'contradicted') this.fall([]);
    return supposed === 'taken' ? 'unproven' : 'refused';
  }

  /** A piece was read, and what is unproven of it thereby is right or false. */
  #judge(piece: number, hash: Uint8Array): void {
    const liars = this.unproven.settle(piece, hash);
    if (liars.length > 0) this.fall(liars);
  }

  /** Drops all that is unproven, and takes no more of it. */
  fall(liars: readonly HostId[]): void {
    const fallen = this.unproven.fall();
    for (const piece of fallen.told) this.#log.push({ piece, hash: new Uint8Array(HASH_BYTES) });
    this.#onFall({ ...fallen, liars });
  }

  /** An unproven hash is told to others from now on. */
  use(piece: number): void {
    const hash = this.unproven.use(piece);
    if (hash !== undefined) this.#log.push({ piece, hash });
  }

  /** A host's word was found right: what it said up to that claim is believed from now on. Returns those pieces. */
  prove(host: HostId, end: number): number[] {
    return this.unproven.take(host, end).map(({ piece, hash, hosts }) => {
      this.#pieces.set(piece, { hash: undefined, versions: [{ hash, hosts: new Set(hosts) }] });
      this.#believe(piece, hash);
      return piece;
    });
  }

  /** The hash told of a piece; undefined where none is known or two contradict each other. */
  hashOf(piece: number): Uint8Array | undefined {
    return this.#pieces.get(piece)?.hash ?? this.unproven.usedHash(piece);
  }

  /** Hosts that read the piece as it is believed. */
  claimants(piece: number): HostId[] {
    const claimed = this.#pieces.get(piece);
    const version = claimed?.versions.find(({ hash }) => hash === claimed.hash);
    return [...(version?.hosts ?? [])];
  }

  /**
   * Forgets all that a host said, or what only the log says; returns the pieces whose hash rested on that alone, now
   * without one.
   */
  withdraw(host: HostId | 'log'): number[] {
    const lost: number[] = [];
    for (const [piece, claimed] of this.#pieces) {
      for (let at = claimed.versions.length - 1; at >= 0; at -= 1) {
        const version = claimed.versions[at];
        if (version === undefined || version.hosts.size > 1) {
          if (host !== 'log') version?.hosts.delete(host);
          continue;
        }
        if (host === 'log' ? version.hosts.size > 0 : !version.hosts.has(host)) continue;
        claimed.versions.splice(at, 1);
        if (version.hash !== claimed.hash) continue;
        this.#doubt(piece, claimed);
        lost.push(piece);
      }
      const [only, second] = claimed.versions;
      if (only === undefined) this.#pieces.delete(piece);
      else if (claimed.hash === undefined && second === undefined) this.#believe(piece, only.hash);
    }
    return lost;
  }

  /** Log entries from a cursor on, at most `max`; a hash of zeros withdraws what an earlier entry said. */
  page(from: number, max: number = LIMITS.hashesPerPage): ClaimPage {
    const start = Math.min(Math.max(0, Math.floor(from)), this.#log.length);
    const entries = this.#log.slice(start, start + Math.max(0, max));
    return { from: start, next: start + entries.length, entries };
  }

  /** Every hash believed, by piece, for the task log. */
  export(): PieceHash[] {
    const hashes: PieceHash[] = [];
    for (const [piece, { hash }] of this.#pieces) if (hash !== undefined) hashes.push({ piece, hash });
    return hashes.sort((left, right) => left.piece - right.piece);
  }

  /** Takes what the task log says, where nothing is known yet. */
  load(hashes: Iterable<PieceHash>): void {
    for (const { piece, hash } of hashes) {
      if (!fits(piece, hash) || this.#pieces.has(piece)) continue;
      this.#judge(piece, hash);
      this.#pieces.set(piece, { hash: undefined, versions: [{ hash, hosts: new Set() }] });
      this.#believe(piece, hash);
    }
  }

  #believe(piece: number, hash: Uint8Array): void {
    const claimed = this.#pieces.get(piece);
    const version = claimed?.versions.find((known) => equal(known.hash, hash));
    if (claimed === undefined || version === undefined) return;
    if (claimed.hash === undefined) this.#proven += 1;
    claimed.hash = version.hash;
    this.#log.push({ piece, hash: version.hash });
  }

  /** What was believed of a piece is not any more. */
  #doubt(piece: number, claimed: Claimed): void {
    claimed.hash = undefined;
    this.#proven -= 1;
    this.#log.push({ piece, hash: new Uint8Array(HASH_BYTES) });
  }
}

function fits(piece: number, hash: Uint8Array): boolean {
  const real = hash.length === HASH_BYTES && hash.some((byte) => byte !== 0);
  return real && Number.isInteger(piece) && piece >= 0 && piece < LIMITS.piecesPerTask;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < HASH_BYTES; at += 1) if (left[at] !== right[at]) return false;
  return true;
}
