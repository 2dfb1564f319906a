import type { ShoalError } from './errors.ts';
import type { Validator } from './source.ts';

/* A client's claim to content, and what comes of it: data that goes down once and a verdict that comes back once. */

/** Who wants what: `content` is a URL at its source, `credential` what was given to claim it. */
export interface Claimant {
  readonly content: string;
  readonly credential: string | undefined;
}

/** What a source said of content that it has. */
export interface ContentFacts {
  readonly length: number | undefined;
  readonly mediaType: string | undefined;
  readonly etag: string | undefined;
}

/** What a source says of a client that wants content of it. */
export type ClaimVerdict =
  /** `open`: without any credentials. */
  | { readonly kind: 'allowed'; readonly open: boolean; readonly facts?: ContentFacts }
  | { readonly kind: 'refused'; readonly error: ShoalError }
  | { readonly kind: 'unreachable'; readonly error: ShoalError };

/** HEAD at a registry, as the client itself would ask. */
export interface RegistryQuestion {
  readonly kind: 'registry';
  /** Base URL of the registry; `path` begins with `/v2/`. */
  readonly base: string;
  readonly path: string;
  /** The client's own. */
  readonly authorization: string | undefined;
  /** `accept`, `via`. */
  readonly headers: Readonly<Record<string, string>>;
  /** A registry that says nothing for so long is out of reach. */
  readonly limitMs: number;
}

/** GET of the first byte, with what the client sends. */
export interface FirstByteQuestion {
  readonly kind: 'first-byte';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is here already: an answer that it still holds will do. */
  readonly known?: Validator | undefined;
  readonly limitMs: number;
}

/** How a source is asked whether it lets a client in. */
export type Question =
  | RegistryQuestion
  | FirstByteQuestion
  /** It was asked a moment ago in another way, and said this. */
  | { readonly kind: 'answered'; readonly verdict: ClaimVerdict };

/** Who wants what, and how its source is asked whether that client may have it. */
export interface Claim extends Claimant {
  readonly question: Question;
}

/** What a client's headers claim, as one string; undefined where they claim nothing. */
export function credentialOf(headers: Readonly<Record<string, string>>): string | undefined {
  const claims = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const [first] = claims;
  if (first === undefined) return undefined;
  if (claims.length === 1 && first[0] === 'authorization') return first[1];
  return JSON.stringify(claims.sort(([a], [b]) => (a < b ? -1 : 1)));
}
