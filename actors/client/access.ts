import { createHash } from 'node:crypto';
import type { Claimant, ClaimVerdict, ContentFacts } from '../../core/claim.ts';
import type { Random } from '../../core/clock.ts';
import { RecentMap } from '../../core/recent-map.ts';

/** What one claimant was told. */
export interface Proof {
  /** When the question was asked that brought the last answer, monotonic ms. */
  readonly askedMs: number;
  readonly verdict: ClaimVerdict;
  /** When the question was asked that let it in last; undefined after a refusal. */
  readonly provenMs: number | undefined;
  /** The last word of the source was a refusal. */
  readonly isRefused: boolean;
  /** The source was asked for what names this, and not for this. */
  readonly isVouched?: true;
}

/** Claimants remembered; beyond that the least recently seen is forgotten, and asked for again. */
const MOST_CLAIMANTS = 20_000;
const MOST_CONTENTS = 20_000;
const MOST_FACTS = 10_000;

/** The memory of what sources said: to whom, and of which content. Credentials are kept hashed; it decides nothing. */
export class Access {
  readonly #salt: Uint8Array;
  readonly #proofs = new RecentMap<string, Proof>(MOST_CLAIMANTS);
  readonly #open = new RecentMap<string, boolean>(MOST_CONTENTS);
  readonly #facts = new RecentMap<string, ContentFacts>(MOST_FACTS);

  /** @param random salts the hashes */
  constructor(random: Random) {
    this.#salt = random.bytes(32);
  }

  /** One claimant and content, as a name that tells neither. */
  nameOf({ content, credential }: Claimant): string {
    const hash = createHash('sha256').update(this.#salt).update(`${content.length}\n${content}`);
    // An empty credential is another claim than none.
    if (credential !== undefined) hash.update('\n').update(credential);
    return hash.digest('base64');
  }

  proof(name: string): Proof | undefined {
    return this.#proofs.get(name);
  }

  keep(name: string, proof: Proof): void {
    this.#proofs.set(name, proof);
  }

  /** Whether content was open at its last proof in this process; undefined where there was none. */
  isOpen(content: string): boolean | undefined {
    return this.#open.get(this.nameOf({ content, credential: undefined }));
  }

  setOpen(content: string, open: boolean): void {
    this.#open.set(this.nameOf({ content, credential: undefined }), open);
  }

  /** What a source last said of content. */
  facts(content: string): ContentFacts | undefined {
    return this.#facts.get(content);
  }

  keepFacts(content: string, facts: ContentFacts): void {
    this.#facts.set(content, facts);
  }
}
