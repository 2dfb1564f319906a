import type { Clock, Random } from '../../core/clock.ts';
import type { HostId } from '../../core/ids.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { ClientLogins } from '../../origins/registry/client-logins.ts';
import type { Credential } from '../../origins/registry/docker-config.ts';

/** How long a token of the mirror lives, s. Clients take less than a minute for one. */
export const TOKEN_SECONDS = 300;
const MOST_TOKENS = 5_000;
const TOKEN_BYTES = 32;

interface MirrorTokensOptions {
  readonly hostId: HostId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logins: ClientLogins;
}

/** What an `Authorization` header is worth at this mirror. */
export type Shown =
  /** What stands for the client at its registry: nothing, a login, or the header as it came. */
  | { readonly authorization: string | undefined }
  /** A token of this mirror, and why it is good for nothing here. @see RFC 6750 §3.1 */
  | { readonly fault: 'invalid_token' | 'insufficient_scope' };

/** The mirror's own tokens: each stands for a login at one registry, in memory alone and for a short time. */
export class MirrorTokens {
  readonly #options: MirrorTokensOptions;
  /** Tokens of other daemons are for these. */
  readonly #prefix: string;
  /** Two that open nothing beyond what everybody may have: neither has to be secret, or remembered. */
  readonly #nobody: string;
  readonly #unbound: string;
  readonly #tokens = new RecentMap<string, { base: string; authorization: string; untilMs: number }>(
    MOST_TOKENS,
  );

  constructor(options: MirrorTokensOptions) {
    this.#options = options;
    this.#prefix = `shoal-${options.hostId}-`;
    this.#nobody = `${this.#prefix}nobody`;
    this.#unbound = `${this.#prefix}unbound`;
  }

  /**
   * A token for a login at a registry, or for who has none.
   * @param base Base URL of the registry that the login is meant for. Where none is said the login is not kept.
   */
  give(credential: Credential | undefined, base: string | undefined): string {
    if (credential === undefined) return this.#nobody;
    if (base === undefined) return this.#unbound;
    const { clock, random, logins } = this.#options;
    const token = `${this.#prefix}${Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url')}`;
    const untilMs = clock.now() + TOKEN_SECONDS * 1000;
    this.#tokens.set(token, { base, authorization: logins.keep(base, credential), untilMs });
    return token;
  }

  /** What a header is worth to ask a registry with; without a base, to speak to the mirror itself. */
  read(header: string | undefined, base: string | undefined): Shown {
    const token = /^bearer +(\S+)$/i.exec(header ?? '')?.[1];
    if (token === undefined || !token.startsWith(this.#prefix)) return { authorization: header };
    if (token === this.#nobody) return { authorization: undefined };
    if (token === this.#unbound) {
      return base === undefined ? { authorization: undefined } : { fault: 'insufficient_scope' };
    }
    const { clock, logins } = this.#options;
    const known = this.#tokens.get(token);
    if (known === undefined || known.untilMs <= clock.now()) return { fault: 'invalid_token' };
    if (logins.find(known.authorization, new URL(known.base)) === undefined)
      return { fault: 'invalid_token' };
    if (base !== undefined && base !== known.base) return { fault: 'insufficient_scope' };
    return { authorization: known.authorization };
  }
}
