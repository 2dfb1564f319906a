import type { Clock } from '../../core/clock.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { Token, TokenAnswer } from './token-server.ts';

const MOST_TOKENS = 2_000;
/** A token is renewed so long before its end, but not before four fifths of its life are over. */
const EARLIER_MS = 10_000;

/** Tokens that still live; those who want the same at once share one question. */
export class TokenCache {
  readonly #clock: Clock;
  readonly #tokens = new RecentMap<string, Token & { readonly untilMs: number }>(MOST_TOKENS);
  readonly #asking = new Map<string, Promise<TokenAnswer>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A token from memory, else from `fetch`.
   * @param notThis One that was refused: it is forgotten, and not given again from memory.
   */
  async take(
    key: string,
    notThis: string | undefined,
    fetch: () => Promise<TokenAnswer>,
  ): Promise<TokenAnswer> {
    const known = this.#tokens.get(key);
    if (known !== undefined && known.token !== notThis && known.untilMs > this.#clock.now()) return known;
    if (known !== undefined) this.#tokens.delete(key);
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asked = this.#fetch(key, fetch).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #fetch(key: string, fetch: () => Promise<TokenAnswer>): Promise<TokenAnswer> {
    // The server counts from when it gave it, which is after this.
    const askedMs = this.#clock.now();
    const answer = await fetch();
    if ('refused' in answer) return answer;
    const { lifetimeMs } = answer;
    const untilMs = askedMs + lifetimeMs - Math.min(EARLIER_MS, lifetimeMs / 5);
    this.#tokens.set(key, { ...answer, untilMs });
    return answer;
  }
}
