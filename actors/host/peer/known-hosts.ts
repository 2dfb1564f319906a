import { randomInt } from '../../../core/clock.ts';
import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { PieceHash } from '../../../core/hash-page.ts';
import type { HostAddress } from '../../../core/host.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { rendezvousRank } from '../../../core/rendezvous.ts';
import type { Run } from '../../../core/run.ts';
import type { FailureReason } from '../../../core/sync-messages.ts';
import type { HaveReply } from '../../../dataplane/data-plane.ts';
import type { HostWorld } from '../world.ts';
import type { PeerContent } from './content.ts';
import type { LeaseSets } from './lease-sets.ts';

/** How often a host that fetches the task is asked what it has: at least, for each known host, and for each piece. */
const ASK_MS = 200;
const ASK_PER_HOST_MS = 20;
const ASK_PER_PIECE_MS = 0.1;
/** One that has all has nothing new to say. */
const ASK_SETTLED_MS = 5_000;
/** One that has nothing may be about to begin. */
const MISSED_MS = 300;
/** A host that does not answer, or failed to give, is left alone for this long, and longer each time. */
const SILENT_MS = 500;
const FAILED_MS = 3_000;
const LONGER = 1.5;
const MOST_AVOIDED_MS = 30_000;
/** One that has no free slot is asked again soon. */
const BUSY_MS = 200;
/** A host that has got no piece for this long, and three times what this one waits for one, does not do its part. */
const IDLE_MS = 3_000;
const IDLE_PIECES = 3;

interface KnownHost {
  readonly address: HostAddress;
  reply: HaveReply | undefined;
  isAsked: boolean;
  askedMs: number;
  /** When it last had more than before. */
  gainedMs: number;
  avoidUntilMs: number;
  /** In a row. */
  failures: number;
  /** The last run from there failed. */
  isFailing: boolean;
  /** A piece that is read from the origin to see whether the host's word is good, and what it said when it was chosen. */
  sample: { readonly piece: number; readonly claims: readonly PieceHash[] } | undefined;
  isProven: boolean;
}

/** What is believed of the hashes that hosts tell of content without a digest. */
export interface HashTrust {
  /** Of the pieces that they may have been to read: up to that rank. */
  readonly rank: number;
  /** Only of hosts of which a piece was read here and found to be as they said. */
  readonly proven: boolean;
}

interface KnownHostsOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  /** Knows the hosts to ask. */
  readonly sets: LeaseSets;
}

/** The hosts that a peer asks by itself what they have of its task, and how they share out what nobody has. */
export class KnownHosts {
  readonly #options: KnownHostsOptions;
  readonly #known = new Map<HostId, KnownHost>();
  /** What was here, and when, as they were asked first: how fast pieces come here since. */
  #heldBefore = 0;
  #sinceMs = 0;
  #trust: HashTrust = { rank: -1, proven: true };

  constructor(options: KnownHostsOptions) {
    this.#options = options;
  }

  /** Begins anew: nothing is known of what they have. */
  clear(): void {
    const { content, world } = this.#options;
    this.#known.clear();
    this.#heldBefore = content.stored?.have.count ?? 0;
    this.#sinceMs = world.clock.now();
  }

  /** Asks everyone whose turn has come. */
  ask(trust: HashTrust): void {
    this.#trust = trust;
    const now = this.#options.world.clock.now();
    for (const address of this.#options.sets.knownHosts()) this.#ask(address, now);
  }

  #ask(address: HostAddress, now: number): void {
    const { world, content } = this.#options;
    const known = this.#at(address) ?? {
      address,
      reply: undefined,
      isAsked: false,
      askedMs: Number.NEGATIVE_INFINITY,
      gainedMs: now,
      avoidUntilMs: 0,
      failures: 0,
      isFailing: false,
      sample: undefined,
      isProven: false,
    };
    this.#known.set(address.hostId, known);
    if (known.isAsked || now < known.avoidUntilMs || now - known.askedMs < this.#everyMs(known)) return;
    known.askedMs = now;
    known.isAsked = true;
    const giveUp = new AbortController();
    const cancel = world.clock.after(LIMITS.firstByteMs, () =>
      giveUp.abort(new ShoalError('ERR_PEER_STALLED', `host ${address.hostId} does not say what it has`)),
    );
    world.dataPlane
      .have({ parent: address, taskId: content.taskId, isPublic: content.isPublic }, giveUp.signal)
      .finally(() => {
        cancel();
        known.isAsked = false;
      })
      .then((reply) => this.#answered(known, reply))
      .catch((error: unknown) => {
        const { code } = toShoalError(error);
        // Whoever only does not answer in time may be busy, and keeps its part for as long as it may be idle.
        if (code !== 'ERR_PEER_STALLED') known.reply = undefined;
        if (code !== 'ERR_PEER_MISSING') return this.#avoid(known, SILENT_MS);
        known.avoidUntilMs = Math.max(known.avoidUntilMs, world.clock.now() + MISSED_MS);
      });
  }

  /** What is known of a host, unless it has started again elsewhere since. */
  #at({ hostId, ip, port }: HostAddress): KnownHost | undefined {
    const known = this.#known.get(hostId);
    return known?.address.ip === ip && known.address.port === port ? known : undefined;
  }

  #everyMs({ reply }: KnownHost): number {
    if (reply?.length !== undefined && reply.have.complete) return ASK_SETTLED_MS;
    const { size } = this.#known;
    return Math.max(ASK_MS, ASK_PER_HOST_MS * size, ASK_PER_PIECE_MS * size * (reply?.have.length ?? 0));
  }

  #answered(known: KnownHost, reply: HaveReply): void {
    if (known.avoidUntilMs === Number.POSITIVE_INFINITY) return;
    // Bytes of another place are not put to those that are here.
    if (!this.#options.content.isOf(reply.home)) return;
    if (reply.have.count > (known.reply?.have.count ?? -1)) known.gainedMs = this.#options.world.clock.now();
    known.reply = reply;
    this.#believe(known, reply);
  }

  /** With a digest every hash may be tried, since the whole is compared. */
  #believe({ address, isProven }: KnownHost, { hashes }: HaveReply): void {
    const { content } = this.#options;
    const { rank, proven } = this.#trust;
    if (content.digest === undefined && proven && !isProven) return;
    for (const { piece, hash } of hashes) {
      if (content.expected(piece) !== undefined) continue;
      if (content.digest !== undefined) content.suppose(piece, hash);
      else if (this.#rankOf(address.hostId, piece) <= rank) content.expect(piece, hash);
    }
  }

  /**
   * A piece at random of what a host tells and nobody believes, to be read from the origin: where it must prove itself, or
   * tells more than each of those who want the task will read to prove it.
   */
  sample(isMissing: (piece: number) => boolean): number | undefined {
    const { content, world } = this.#options;
    if (content.digest !== undefined) return undefined;
    for (const known of this.#known.values()) {
      const { sample, isProven, reply } = known;
      if (reply === undefined || (sample && !isMissing(sample.piece))) continue;
      const claims = reply.hashes.filter(
        ({ piece }) => isMissing(piece) && content.expected(piece) === undefined,
      );
      const least = this.#trust.proven && !isProven ? 1 : this.wanting + 2;
      const claim = claims.length < least ? undefined : claims[randomInt(world.random, claims.length)];
      if (claim === undefined) continue;
      known.sample = { piece: claim.piece, claims: reply.hashes };
      return claim.piece;
    }
    return undefined;
  }

  /** Judges hosts of which a piece was read: what they had told then is believed, or nothing of theirs is. */
  judge(): void {
    const { content } = this.#options;
    for (const known of this.#known.values()) {
      const { sample } = known;
      const hash = sample && content.stored?.hash(sample.piece);
      if (sample === undefined || hash === undefined || !content.has(sample.piece)) continue;
      known.sample = undefined;
      const claim = sample.claims.find(({ piece }) => piece === sample.piece);
      known.isProven = claim !== undefined && Buffer.compare(claim.hash, hash) === 0;
      if (!known.isProven) {
        known.reply = undefined;
        this.#avoid(known, Number.POSITIVE_INFINITY);
      }
      for (const { piece, hash } of known.isProven ? sample.claims : []) {
        if (content.expected(piece) === undefined) content.expect(piece, hash);
      }
    }
  }

  /** A run failed; its parent is left alone for a while, and for good where it gave wrong bytes. */
  failed({ from }: Run, reason: FailureReason): void {
    const known = from === 'origin' ? undefined : this.#known.get(from.hostId);
    if (known === undefined) return;
    if (reason === 'busy') known.avoidUntilMs = this.#options.world.clock.now() + BUSY_MS;
    else {
      known.isFailing = true;
      this.#avoid(known, reason === 'corrupt' ? Number.POSITIVE_INFINITY : FAILED_MS);
    }
    if (reason === 'unreachable' || reason === 'corrupt') known.reply = undefined;
  }

  #avoid(known: KnownHost, forMs: number): void {
    const now = this.#options.world.clock.now();
    const mostMs = forMs === Number.POSITIVE_INFINITY ? forMs : MOST_AVOIDED_MS;
    known.avoidUntilMs = Math.max(
      known.avoidUntilMs,
      now + Math.min(mostMs, forMs * LONGER ** known.failures),
    );
    known.failures = Math.min(known.failures + 1, 16);
  }

  /** Whether a host failed of late, and is to be asked for nothing. */
  shuns(hostId: HostId): boolean {
    const known = this.#known.get(hostId);
    return known !== undefined && known.failures > 0 && known.avoidUntilMs > this.#options.world.clock.now();
  }

  /** Whether one of them was to give a piece of late, and did not. */
  get isFailed(): boolean {
    const now = this.#options.world.clock.now();
    return [...this.#known.values()].some(({ isFailing, avoidUntilMs }) => isFailing && avoidUntilMs > now);
  }

  /** A piece came from there: the host is trusted again. */
  gave({ from }: Run): void {
    const known = from === 'origin' ? undefined : this.#known.get(from.hostId);
    if (known === undefined) return;
    known.failures = 0;
    known.isFailing = false;
  }

  /** Hosts that may be asked for pieces now. */
  get parents(): { readonly address: HostAddress; readonly reply: HaveReply }[] {
    const now = this.#options.world.clock.now();
    return [...this.#known.values()].flatMap(({ address, reply, avoidUntilMs }) =>
      reply !== undefined && now >= avoidUntilMs ? [{ address, reply }] : [],
    );
  }

  /** Hosts that are known to want the task, whether they get anything or not. */
  get wanting(): number {
    let count = 0;
    for (const { reply } of this.#known.values()) if (reply !== undefined && !isWhole(reply)) count += 1;
    return count;
  }

  #shares({ reply, gainedMs }: KnownHost, now: number): boolean {
    return reply !== undefined && !isWhole(reply) && now - gainedMs < this.#idleMs(now);
  }

  /** Where the origin is slow, so is everybody. */
  #idleMs(now: number): number {
    const came = (this.#options.content.stored?.have.count ?? 0) - this.#heldBefore;
    return Math.max(IDLE_MS, (IDLE_PIECES * (now - this.#sinceMs)) / Math.max(1, came));
  }

  /** How many others do their part. */
  get sharers(): number {
    const now = this.#options.world.clock.now();
    let count = 0;
    for (const known of this.#known.values()) if (this.#shares(known, now)) count += 1;
    return count;
  }

  /** A reply that tells how the content is cut. */
  get geometry(): HaveReply | undefined {
    for (const { reply } of this.#known.values()) if (reply?.length !== undefined) return reply;
    return undefined;
  }

  /** Whether a host that can be asked has the piece, and its hash is known. */
  offers(piece: number): boolean {
    const { content } = this.#options;
    if (content.expected(piece) === undefined) return false;
    for (const { reply, address } of this.#known.values()) {
      if (reply?.have.has(piece) && !this.shuns(address.hostId)) return true;
    }
    return false;
  }

  /** How many come before this host for reading the piece. */
  rank(piece: number): number {
    return this.#rankOf(this.#options.world.hostId, piece);
  }

  /** Those that have the piece do not read it. */
  #rankOf(hostId: HostId, piece: number): number {
    const { world, content } = this.#options;
    const now = world.clock.now();
    const others: HostId[] = hostId === world.hostId ? [] : [world.hostId];
    for (const [id, known] of this.#known) {
      if (id !== hostId && this.#shares(known, now) && known.reply?.have.has(piece) === false)
        others.push(id);
    }
    return rendezvousRank(`${content.taskId}/${piece}`, hostId, others);
  }
}

function isWhole({ length, have }: HaveReply): boolean {
  return length !== undefined && have.complete;
}
