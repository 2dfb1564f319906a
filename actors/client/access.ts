import { createHash } from 'node:crypto';
import type { Clock, Random } from '../../core/clock.ts';
import type { ShoalError } from '../../core/errors.ts';
import { RecentMap } from '../../core/recent-map.ts';

/** What a source says of a client that wants content of it. */
export type Verdict =
  /** `open`: without any credentials. */
  | { readonly kind: 'allowed'; readonly open: boolean }
  | { readonly kind: 'refused'; readonly error: ShoalError }
  | { readonly kind: 'unreachable'; readonly error: ShoalError };

/** Who wants what: `content` is a URL at its source, `credential` the authorization that was given. */
export interface Claimant {
  readonly content: string;
  readonly credential: string | undefined;
  /** Whether the content was public at its last proof, as the record on disk says; read when it is needed. */
  readonly wasOpen: boolean;
}

interface AccessOptions {
  readonly clock: Clock;
  /** Salts the hashes under which credentials are kept. */
  readonly random: Random;
  /** How long an answer is remembered, ms. */
  readonly memoryMs: number;
  /** How old the proof of a credential may be while the source cannot be reached, ms; 0: not at all. */
  readonly graceMs: number;
  /** A source refused those without credentials what was open before: no record may call it public any more. */
  readonly onClosed?: (content: string) => void;
}

/** What one claimant was told. */
interface Proof {
  /** When the question was asked that brought the last answer. */
  readonly askedMs: number;
  readonly verdict: Verdict;
  /** When the question was asked that let it in last; undefined after a refusal. */
  readonly provenMs: number | undefined;
  /** The last word of the source was a refusal. */
  readonly isRefused: boolean;
}

/** A refusal, or that a source is out of reach, is remembered only so long, ms: both end without a word. */
const UNHAPPY_MS = 1_000;
/** Claimants remembered; beyond that the least recently seen is forgotten, and asked for again. */
const MOST_CLAIMANTS = 20_000;
const MOST_CONTENTS = 20_000;

/** Remembers for a short while which credential its source let in to which content; credentials are kept hashed. */
export class Access {
  readonly #options: AccessOptions;
  readonly #salt: Uint8Array;
  readonly #proofs = new RecentMap<string, Proof>(MOST_CLAIMANTS);
  /** Whether content was open at its last proof in this process. */
  readonly #open = new RecentMap<string, boolean>(MOST_CONTENTS);
  readonly #asking = new Map<string, Promise<Proof>>();

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#salt = options.random.bytes(32);
  }

  /**
   * Resolves where the client may have the content. Those who claim the same at once share one question; an `ask`
   * that throws is no answer, and the next one who waits asks itself. A source that cannot be reached has not
   * refused: what was open stays so, and a credential let in within `graceMs` stays in.
   * @throws the refusal, or that the source cannot be reached
   */
  async prove(claimant: Claimant, ask: () => Promise<Verdict>): Promise<void> {
    const key = this.#hash(claimant.content, claimant.credential);
    const proof = this.#remembered(key) ?? (await this.#shared(key, claimant, ask));
    const { verdict } = proof;
    if (verdict.kind === 'allowed') return;
    if (verdict.kind === 'unreachable' && this.#stands(claimant, proof)) return;
    throw verdict.error;
  }

  /**
   * Whoever was let in to a content may have what that one names at its source, for as long as that answer is remembered;
   * what is known of one of them is not changed.
   */
  vouch(by: Omit<Claimant, 'wasOpen'>, contents: readonly string[]): void {
    const proof = this.#remembered(this.#hash(by.content, by.credential));
    if (proof?.verdict.kind !== 'allowed') return;
    for (const content of contents) {
      const key = this.#hash(content, by.credential);
      if (this.#remembered(key) !== undefined) continue;
      this.#proofs.set(key, proof);
      this.#learn({ content, credential: by.credential, wasOpen: false }, proof.verdict);
    }
  }

  #remembered(key: string): Proof | undefined {
    const { clock, memoryMs } = this.#options;
    const proof = this.#proofs.get(key);
    if (proof === undefined) return undefined;
    const keptMs = proof.verdict.kind === 'allowed' ? memoryMs : Math.min(memoryMs, UNHAPPY_MS);
    return clock.now() - proof.askedMs < keptMs ? proof : undefined;
  }

  async #shared(key: string, claimant: Claimant, ask: () => Promise<Verdict>): Promise<Proof> {
    for (;;) {
      const running = this.#asking.get(key);
      if (running === undefined) break;
      const proof = await running.catch(() => undefined);
      if (proof !== undefined) return proof;
    }
    const asked = this.#ask(key, claimant, ask).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #ask(key: string, claimant: Claimant, ask: () => Promise<Verdict>): Promise<Proof> {
    const askedMs = this.#options.clock.now();
    const verdict = await ask();
    const before = this.#proofs.get(key);
    const { kind } = verdict;
    const proof: Proof = {
      askedMs,
      verdict,
      provenMs: { allowed: askedMs, refused: undefined, unreachable: before?.provenMs }[kind],
      isRefused: { allowed: false, refused: true, unreachable: before?.isRefused ?? false }[kind],
    };
    this.#proofs.set(key, proof);
    this.#learn(claimant, verdict);
    return proof;
  }

  #learn({ content, credential, wasOpen }: Claimant, verdict: Verdict): void {
    const name = this.#hash(content, undefined);
    if (verdict.kind === 'allowed' && verdict.open) this.#open.set(name, true);
    // Wrong credentials are refused for open content too: only who brought none says that it is closed.
    if (verdict.kind !== 'refused' || credential !== undefined) return;
    const known = this.#open.get(name) ?? wasOpen;
    this.#open.set(name, false);
    if (known) this.#options.onClosed?.(content);
  }

  /** Whether a claim holds though its source is out of reach. */
  #stands({ content, wasOpen }: Claimant, { provenMs, isRefused }: Proof): boolean {
    const { clock, graceMs } = this.#options;
    if (isRefused) return false;
    if (this.#open.get(this.#hash(content, undefined)) ?? wasOpen) return true;
    return provenMs !== undefined && graceMs > 0 && clock.now() - provenMs <= graceMs;
  }

  #hash(content: string, credential: string | undefined): string {
    const hash = createHash('sha256').update(this.#salt).update(`${content.length}\n${content}`);
    // An empty credential is another claim than none.
    if (credential !== undefined) hash.update('\n').update(credential);
    return hash.digest('base64');
  }
}
