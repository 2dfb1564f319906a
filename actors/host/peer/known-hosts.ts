import { ShoalError } from '../../../core/errors.ts';
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
/** A host that has nothing, or failed, is left alone for this long, and longer each time. */
const MISSED_MS = 150;
const FAILED_MS = 3_000;
const LONGER = 1.5;
const MOST_AVOIDED_MS = 30_000;
/** One that has no free slot is asked again soon. */
const BUSY_MS = 200;
/** A host that has got no piece for this long does not do its part. */
const IDLE_MS = 3_000;

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
  /** Whose claims are believed of content without a digest: nobody's, or of hosts up to that rank. */
  #trustedRank = -1;

  constructor(options: KnownHostsOptions) {
    this.#options = options;
  }

  /** Forgets what they said. */
  clear(): void {
    this.#known.clear();
  }

  /** Asks everyone whose turn has come; hosts that may have read a piece, by their rank for it, are believed on its hash. */
  ask(trustedRank: number): void {
    this.#trustedRank = trustedRank;
    const now = this.#options.world.clock.now();
    for (const address of this.#options.sets.knownHosts()) this.#ask(address, now);
  }

  #ask(address: HostAddress, now: number): void {
    const { world, content } = this.#options;
    const known = this.#known.get(address.hostId) ?? {
      address,
      reply: undefined,
      isAsked: false,
      askedMs: Number.NEGATIVE_INFINITY,
      gainedMs: now,
      avoidUntilMs: 0,
      failures: 0,
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
      .catch(() => this.#avoid(known, MISSED_MS));
  }

  #everyMs({ reply }: KnownHost): number {
    if (reply?.length !== undefined && reply.have.complete) return ASK_SETTLED_MS;
    const { size } = this.#known;
    return Math.max(ASK_MS, ASK_PER_HOST_MS * size, ASK_PER_PIECE_MS * size * (reply?.have.length ?? 0));
  }

  #answered(known: KnownHost, reply: HaveReply): void {
    if (known.avoidUntilMs === Number.POSITIVE_INFINITY) return;
    if (reply.have.count > (known.reply?.have.count ?? -1)) known.gainedMs = this.#options.world.clock.now();
    known.reply = reply;
    this.#believe(known.address.hostId, reply);
  }

  /** With a digest every hash may be tried, since the whole is compared; else only that of who was to read the piece. */
  #believe(hostId: HostId, { hashes }: HaveReply): void {
    const { content } = this.#options;
    for (const { piece, hash } of hashes) {
      if (content.expected(piece) !== undefined) continue;
      if (content.digest !== undefined) content.suppose(piece, hash);
      else if (this.#rankOf(hostId, piece) <= this.#trustedRank) content.expect(piece, hash);
    }
  }

  /** A run failed; its parent is left alone for a while, and for good where it gave wrong bytes. */
  failed({ from }: Run, reason: FailureReason): void {
    const known = from === 'origin' ? undefined : this.#known.get(from.hostId);
    if (known === undefined) return;
    if (reason === 'busy') known.avoidUntilMs = this.#options.world.clock.now() + BUSY_MS;
    else this.#avoid(known, reason === 'corrupt' ? Number.POSITIVE_INFINITY : FAILED_MS);
  }

  #avoid(known: KnownHost, forMs: number): void {
    const now = this.#options.world.clock.now();
    const mostMs = forMs === Number.POSITIVE_INFINITY ? forMs : MOST_AVOIDED_MS;
    known.reply = undefined;
    known.avoidUntilMs = Math.max(
      known.avoidUntilMs,
      now + Math.min(mostMs, forMs * LONGER ** known.failures),
    );
    known.failures = Math.min(known.failures + 1, 16);
  }

  /** Whether a host failed of late, and is to be asked for nothing. */
  shuns(hostId: HostId): boolean {
    return (this.#known.get(hostId)?.avoidUntilMs ?? 0) > this.#options.world.clock.now();
  }

  /** A piece came from there: the host is trusted again. */
  gave({ from }: Run): void {
    const known = from === 'origin' ? undefined : this.#known.get(from.hostId);
    if (known !== undefined) known.failures = 0;
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

  /** How many others do their part. */
  get sharers(): number {
    const now = this.#options.world.clock.now();
    let count = 0;
    for (const known of this.#known.values()) if (shares(known, now)) count += 1;
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
    for (const { reply } of this.#known.values()) if (reply?.have.has(piece)) return true;
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
      if (id !== hostId && shares(known, now) && known.reply?.have.has(piece) === false) others.push(id);
    }
    return rendezvousRank(`${content.taskId}/${piece}`, hostId, others);
  }
}

function isWhole({ length, have }: HaveReply): boolean {
  return length !== undefined && have.complete;
}

function shares({ reply, gainedMs }: KnownHost, now: number): boolean {
  return reply !== undefined && !isWhole(reply) && now - gainedMs < IDLE_MS;
}
