import { randomInt } from '../../../core/clock.ts';
import type { HostId } from '../../../core/ids.ts';
import type { Claims } from '../../../scheduling/claims.ts';
import type { Ledger, Synced } from '../../../scheduling/ledger.ts';
import type { SchedulerWorld } from '../world.ts';
import type { TaskContent } from './content.ts';

/** A host that has told nothing unproven for this long has told all it knows of what it read before. */
const SETTLED_MS = 500;
/** It is not waited for longer than this. */
const MOST_MS = 2_000;
/** Where nobody has been able to read a sample for this long, what is unproven is used as it is. */
const NOBODY_MS = 1_000;

/** How much of what a host told unproven is to be proven by one read. */
interface Round {
  readonly sinceMs: number;
  lastMs: number;
  /** Who reads which piece, and the last claim that it proves. */
  sample: { readonly reader: HostId; readonly piece: number; readonly end: number } | undefined;
}

interface ProofsOptions {
  readonly world: SchedulerWorld;
  readonly content: TaskContent;
  readonly claims: () => Claims;
  readonly ledger: () => Ledger;
  /** Whether the host says that it holds the piece, whose hash nobody has proven. */
  readonly holds: (hostId: HostId, piece: number) => boolean;
  /** Hashes are to be believed, or used, from now on. */
  readonly onUsable: (pieces: readonly number[]) => void;
  /** A sample can be read now. */
  readonly onDue: () => void;
}

/** Who wants pieces, and whether it may read the origin. */
type Wanting = Iterable<readonly [HostId, { readonly wants: boolean; readonly mayReadOrigin: boolean }]>;

/**
 * Proves what hosts tell that were not leased what they read: another host reads one piece of theirs at random from the
 * origin. Until then nobody is given any of it. Content with a digest needs no proof: the whole is compared.
 */
export class Proofs {
  readonly #options: ProofsOptions;
  readonly #rounds = new Map<HostId, Round>();
  /** Nobody could read a sample of these: what they told is used unproven. */
  readonly #released = new Set<HostId>();

  constructor(options: ProofsOptions) {
    this.#options = options;
  }

  /** A host told a hash unproven. */
  told(hostId: HostId): void {
    if (this.#options.content.hasDigest) return;
    const { clock } = this.#options.world;
    const nowMs = clock.now();
    const round = this.#rounds.get(hostId);
    if (round) round.lastMs = nowMs;
    else this.#begin(hostId, nowMs);
  }

  #begin(hostId: HostId, nowMs: number): void {
    this.#rounds.set(hostId, { sinceMs: nowMs, lastMs: nowMs, sample: undefined });
    this.#options.world.clock.after(SETTLED_MS, this.#options.onDue);
  }

  /** Whether an unproven hash is told to others, and its holders give the piece. */
  mayUse(piece: number): boolean {
    if (this.#options.content.hasDigest) return true;
    const { unproven } = this.#options.claims();
    for (const hostId of this.#released) if (unproven.isFrom(hostId, piece)) return true;
    return false;
  }

  /** Leases a host that was just heard samples of all whose word waits for a proof, to be read before all else. */
  sample(synced: Synced, setNumber: number): void {
    const { world, claims, ledger } = this.#options;
    const nowMs = world.clock.now();
    const { unproven } = claims();
    for (const [hostId, round] of this.#rounds) {
      const { sample } = round;
      if (!isDue(round, nowMs) || (sample && ledger().isReading(sample.reader, sample.piece))) continue;
      const pieces = this.#readable(hostId, synced.host).filter((piece) => synced.lacks(piece));
      const piece = pieces[randomInt(world.random, pieces.length)];
      if (piece === undefined || !synced.sample(piece, { nowMs, setNumber })) continue;
      round.sample = { reader: synced.host, piece, end: unproven.end };
    }
  }

  /** What of a claimant's pieces that host could read as one that has nothing to do with them. */
  #readable(claimant: HostId, reader: HostId): number[] {
    const { claims, ledger, holds } = this.#options;
    if (claimant === reader) return [];
    const { unproven } = claims();
    const isFree = (piece: number) =>
      !unproven.isFrom(reader, piece) && !holds(reader, piece) && !ledger().has(reader, piece);
    return unproven.of(claimant).filter(isFree);
  }

  /** A host read a piece that it was leased, as others said or as is believed: a sample of it proves the rest. */
  read(reader: HostId, piece: number): void {
    const { claims, world, onUsable } = this.#options;
    for (const [hostId, { sample }] of this.#rounds) {
      if (sample?.reader !== reader || sample.piece !== piece) continue;
      this.#rounds.delete(hostId);
      this.#released.delete(hostId);
      onUsable(claims().prove(hostId, sample.end));
      if (claims().unproven.of(hostId).length > 0) this.#begin(hostId, world.clock.now());
    }
  }

  /** Gives up on proofs that nobody could bring: what nothing better is known of is used. */
  settle(peers: Wanting, nowMs: number): void {
    const { claims, world, ledger, onUsable } = this.#options;
    for (const [hostId, round] of this.#rounds) {
      const { sample, sinceMs } = round;
      if (claims().unproven.of(hostId).length === 0) {
        this.#rounds.delete(hostId);
        continue;
      }
      if (this.#released.has(hostId) || !isDue(round, nowMs)) continue;
      if (nowMs - Math.max(sinceMs, world.recoveredAtMs) < NOBODY_MS) continue;
      if (sample && ledger().isReading(sample.reader, sample.piece)) continue;
      if (this.#couldBeRead(hostId, peers)) continue;
      this.#released.add(hostId);
      onUsable(claims().unproven.of(hostId));
    }
  }

  #couldBeRead(claimant: HostId, peers: Wanting): boolean {
    if (this.#options.content.probed?.ranges === false) return false;
    for (const [hostId, { wants, mayReadOrigin }] of peers) {
      if (wants && mayReadOrigin && this.#readable(claimant, hostId).length > 0) return true;
    }
    return false;
  }

  clear(): void {
    this.#rounds.clear();
    this.#released.clear();
  }
}

function isDue({ sinceMs, lastMs }: Round, nowMs: number): boolean {
  return nowMs - lastMs >= SETTLED_MS || nowMs - sinceMs >= MOST_MS;
}
