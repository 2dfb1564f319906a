import type { Claim, Claimant, ClaimVerdict, ContentFacts } from '../../core/claim.ts';
import { sleep } from '../../core/clock.ts';
import type { DownloadRequest } from '../../core/download.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { isDigest, taskIdAt, taskIdOfDigest } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { isReadAt, placeFor } from '../../origins/place.ts';
import { namesContent } from '../../origins/registry/target.ts';
import type { Store, StoredTask } from '../../storage/store.ts';
import type { HostWorld } from '../host/world.ts';
import { Access, type Proof } from './access.ts';
import { type AskWorld, askSource } from './ask-source.ts';
import { ReadElsewhere } from './read-elsewhere.ts';
import {
  closedClaims,
  openClaims,
  ownClaim,
  ownerless,
  ownSource,
  type SourceClaim,
} from './source-claims.ts';

/*
 * Who may have content, by what proof, for how long: all of it is decided here.
 *
 *   letIn   content that is here, to one client
 *           with a claim      the claim is good, and: the content is public, or it was read where the claim is made
 *           public, without   everybody; what is public in a registry only as long as the registry says so
 *           other, without    a source where it was read lets this client in
 *   prove   one claim at its source
 *           let in            remembered for `memoryMs`
 *           refused           remembered for a second; without credentials it says that nothing is public any more
 *           out of reach      as refused, but what was public is given, and who was let in within `graceMs` stays in
 */

/** What admission needs of the world. */
export type AdmissionWorld = AskWorld & Pick<HostWorld, 'random' | 'store' | 'log'>;

/** For how long answers count. */
export interface AdmissionTimes {
  /** How long an answer is remembered, ms. */
  readonly memoryMs: number;
  /** How old the proof of a credential may be while the source cannot be reached, ms; 0: not at all. */
  readonly graceMs: number;
}

/** A download of one client, as far as letting it in goes. */
export interface Entrant {
  readonly request: DownloadRequest;
  /** What `begin` gave. */
  readonly begun: Promise<Ground>;
}

/** What is known of content that is claimed. */
interface Known {
  /** It was public at its last proof. */
  readonly wasOpen: boolean;
  /** Only an answer for the content itself counts, and none for what names it: it is not public. */
  readonly isOwn?: true;
}

/** What a claim was let in by: an answer for the content itself, or for what names it. */
type Ground = 'own' | 'named';

/** A refusal, or that a source is out of reach, is remembered only so long, ms: both end without a word. */
const UNHAPPY_MS = 1_000;

/** Lets clients in to content. */
export class ClientAdmission {
  readonly #world: AdmissionWorld;
  readonly #times: AdmissionTimes;
  readonly #access: Access;
  readonly #asking = new Map<string, Promise<Proof>>();

  constructor(world: AdmissionWorld, times: AdmissionTimes) {
    this.#world = world;
    this.#times = times;
    this.#access = new Access(world.random);
  }

  /**
   * Asks what can be asked before any content is here. For a request with a claim it resolves where that is good, and
   * rejects with the refusal; for others nobody needs to hear of it.
   * @param wasOpen whether the content was public at its last proof, as its record says
   * @param arrived some of the content, once it is here
   */
  async begin(
    request: DownloadRequest,
    wasOpen: boolean,
    arrived: Promise<StoredTask>,
    signal: AbortSignal,
  ): Promise<Ground> {
    if (request.claim !== undefined) return this.#proveEarly(request.claim, wasOpen, arrived, signal);
    const own = ownClaim(request);
    if (own === undefined || request.digest === undefined || !namesContent(own.content)) return 'own';
    // Whoever needs the answer asks again, and is told.
    return this.prove(own, { wasOpen }, signal).catch(() => 'own');
  }

  /** A source out of reach ends it only once it is known whether the content was public. */
  async #proveEarly(
    claim: Claim,
    wasOpen: boolean,
    arrived: Promise<StoredTask>,
    signal: AbortSignal,
  ): Promise<Ground> {
    try {
      return await this.prove(claim, { wasOpen }, signal);
    } catch (error) {
      if (wasOpen || !toShoalError(error).retryable) throw error;
      const late = sleep(this.#world.clock, LIMITS.firstByteMs, signal).then(() => undefined);
      const stored = await Promise.race([arrived, late]);
      if (stored?.record.audience !== 'public') throw error;
      return this.prove(claim, { wasOpen: true }, signal);
    }
  }

  /**
   * Resolves where this client may have content of which some is here.
   * @throws ReadElsewhere where what the client names may have the content too, and nobody has read it there; the
   *   refusal, ERR_SOURCE_*
   */
  async letIn(entrant: Entrant, stored: StoredTask, signal: AbortSignal): Promise<void> {
    const { request, begun } = entrant;
    if (request.claim === undefined) {
      const isPublic = stored.record.audience === 'public';
      const claims = isPublic ? openClaims(request, stored.record) : closedClaims(request, stored.record);
      if (isPublic && claims.length === 0) return;
      return this.#anyOf(claims, request, isPublic, signal);
    }
    const ground = await begun;
    // Looked up now: what the source just said may have closed it.
    if (stored.record.audience === 'public') return;
    if (ground === 'named') await this.prove(request.claim, { wasOpen: false, isOwn: true }, signal);
    const own = ownSource(request);
    if (own === undefined) throw ownerless(request);
    if (!isReadAt(stored.record, own)) throw new ReadElsewhere();
  }

  async #anyOf(
    claims: readonly SourceClaim[],
    request: DownloadRequest,
    wasOpen: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    let refusal = ownerless(request);
    for (const claim of claims) {
      try {
        await this.prove(claim, wasOpen ? { wasOpen } : { wasOpen, isOwn: true }, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        refusal = toShoalError(error);
      }
    }
    throw refusal;
  }

  /**
   * Resolves where the source of a claim lets the client in, now or a while ago. Those who claim the same at once share
   * one question; one that was called off is no answer, and the next who waits asks.
   * @throws the refusal, or that the source cannot be reached
   */
  async prove(claim: Claim, known: Known, signal: AbortSignal): Promise<Ground> {
    const name = this.#access.nameOf(claim);
    const remembered = this.#remembered(name);
    const isEnough = known.isOwn !== true || remembered?.isVouched !== true;
    const proof = (isEnough ? remembered : undefined) ?? (await this.#shared(name, claim, known, signal));
    const { verdict } = proof;
    if (verdict.kind === 'allowed') return proof.isVouched === true ? 'named' : 'own';
    if (verdict.kind === 'unreachable' && this.#stands(claim, proof, known)) return 'own';
    throw verdict.error;
  }

  /**
   * What a source gave to everybody lets in to what that one names there, for as long as that answer is remembered, and
   * as far as that is public too; what is known of one of them is not changed.
   */
  vouch(by: Claimant, contents: readonly string[]): void {
    const proof = this.#remembered(this.#access.nameOf(by));
    if (proof?.verdict.kind !== 'allowed' || !proof.verdict.open) return;
    for (const content of contents) {
      const named = { content, credential: by.credential };
      const name = this.#access.nameOf(named);
      if (this.#remembered(name) !== undefined) continue;
      this.#access.keep(name, { ...proof, provenMs: undefined, isVouched: true });
    }
  }

  /** What the source said of content, to whomever. */
  facts(content: string): ContentFacts | undefined {
    return this.#access.facts(content);
  }

  /** The same, asked for now where nothing is remembered. @throws the refusal, ERR_SOURCE_* */
  async askFacts(claim: Claim, signal: AbortSignal): Promise<ContentFacts> {
    const known = this.#access.facts(claim.content);
    if (known !== undefined) return known;
    const verdict = await askSource(this.#world, claim.question, signal);
    if (verdict.kind !== 'allowed') throw verdict.error;
    this.#keepFacts(claim, verdict);
    return verdict.facts ?? { length: undefined, mediaType: undefined, etag: undefined };
  }

  #remembered(name: string): Proof | undefined {
    const proof = this.#access.proof(name);
    if (proof === undefined) return undefined;
    const { memoryMs } = this.#times;
    const keptMs = proof.verdict.kind === 'allowed' ? memoryMs : Math.min(memoryMs, UNHAPPY_MS);
    return this.#world.clock.now() - proof.askedMs < keptMs ? proof : undefined;
  }

  async #shared(name: string, claim: Claim, known: Known, signal: AbortSignal): Promise<Proof> {
    for (;;) {
      const running = this.#asking.get(name);
      if (running === undefined) break;
      const proof = await running.catch(() => undefined);
      if (proof !== undefined) return proof;
    }
    const asked = this.#ask(name, claim, known, signal).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asked);
    return asked;
  }

  async #ask(name: string, claim: Claim, known: Known, signal: AbortSignal): Promise<Proof> {
    const askedMs = this.#world.clock.now();
    const verdict = await askSource(this.#world, claim.question, signal);
    const before = this.#access.proof(name);
    const { kind } = verdict;
    const proof: Proof = {
      askedMs,
      verdict,
      provenMs: { allowed: askedMs, refused: undefined, unreachable: before?.provenMs }[kind],
      isRefused: { allowed: false, refused: true, unreachable: before?.isRefused ?? false }[kind],
    };
    this.#access.keep(name, proof);
    this.#keepFacts(claim, verdict);
    if (verdict.kind === 'allowed' && verdict.open) this.#access.setOpen(claim.content, true);
    // Wrong credentials are refused for open content too: only who brought none says that it is closed.
    if (verdict.kind === 'refused' && claim.credential === undefined) this.#closed(claim, known);
    return proof;
  }

  #keepFacts({ content }: Claimant, verdict: ClaimVerdict): void {
    if (verdict.kind === 'allowed' && verdict.facts) this.#access.keepFacts(content, verdict.facts);
  }

  #closed({ content }: Claimant, known: Known): void {
    const wasOpen = this.#access.isOpen(content) ?? known.wasOpen;
    this.#access.setOpen(content, false);
    if (!wasOpen) return;
    closeRecord(this.#world.store, content).catch((err: unknown) =>
      this.#world.log.warn({ err }, 'a record could not be closed'),
    );
  }

  /** Whether a claim holds though its source is out of reach. */
  #stands({ content }: Claimant, { provenMs, isRefused }: Proof, known: Known): boolean {
    if (isRefused) return false;
    if (this.#access.isOpen(content) ?? known.wasOpen) return true;
    const { graceMs } = this.#times;
    return provenMs !== undefined && graceMs > 0 && this.#world.clock.now() - provenMs <= graceMs;
  }
}

/** The source of content closed it to those without credentials: its record says so from now on. */
async function closeRecord(store: Store, contentUrl: string): Promise<void> {
  const name = new URL(contentUrl).pathname.split('/').at(-1) ?? '';
  const digest = decodeURIComponent(name);
  if (!isDigest(digest)) return;
  const place = placeFor({ url: contentUrl, credentials: false }, digest);
  for (const taskId of [taskIdOfDigest(digest), taskIdAt(digest, place)]) {
    if (store.row(taskId)?.audience !== 'public') continue;
    const stored = await store.open(taskId);
    await stored?.amend({ audience: 'source' });
  }
}

/** For a client whose request names no source of its own. @throws ERR_CONFIG_INVALID */
export function refuseBareClaim(request: DownloadRequest): void {
  if (request.claim === undefined || ownSource(request) !== undefined) return;
  throw new ShoalError('ERR_CONFIG_INVALID', 'a claim of its own needs a URL');
}
