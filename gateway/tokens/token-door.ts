import type { IncomingHttpHeaders } from 'node:http';
import { isExpired, isSame, readToken, type TokenRecord } from '../../core/api-token.ts';
import type { Clock } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { Directory } from '../../transport/bus.ts';
import { GATEWAY_LIMITS } from '../limits.ts';
import { recordOf } from './token-store.ts';

interface Known {
  readonly record: TokenRecord | undefined;
  readonly untilMs: number;
}

/** Lets tokens in. */
export class TokenDoor {
  readonly #directory: Pick<Directory, 'get'>;
  readonly #clock: Clock;
  readonly #known = new RecentMap<string, Known>(GATEWAY_LIMITS.tokensRemembered);
  readonly #coming = new Map<string, Promise<TokenRecord | undefined>>();

  constructor(directory: Pick<Directory, 'get'>, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Whose token a request shows. @throws ERR_API_LOGIN, ERR_API_BUSY, ERR_BUS_UNAVAILABLE */
  async check(headers: IncomingHttpHeaders): Promise<TokenRecord> {
    const text = tokenOf(headers);
    if (text === undefined) throw new ShoalError('ERR_API_LOGIN', 'this takes a token');
    const shown = readToken(text);
    const record = shown && (await this.#record(shown.id));
    if (shown === undefined || record === undefined || !isSame(shown, record)) {
      throw new ShoalError('ERR_API_LOGIN', 'there is no such token, or it was revoked');
    }
    if (isExpired(record, this.#clock.wall())) {
      throw new ShoalError('ERR_API_LOGIN', `the token ${record.name} has expired`);
    }
    return record;
  }

  async #record(id: string): Promise<TokenRecord | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined && known.untilMs > this.#clock.now()) return known.record;
    let coming = this.#coming.get(id);
    if (coming === undefined) {
      if (this.#coming.size >= GATEWAY_LIMITS.tokenLookups) {
        throw new ShoalError('ERR_API_BUSY', 'too many tokens are being looked up');
      }
      coming = this.#lookUp(id).finally(() => this.#coming.delete(id));
      this.#coming.set(id, coming);
    }
    return coming;
  }

  async #lookUp(id: string): Promise<TokenRecord | undefined> {
    const entry = await this.#directory.get(id);
    const record = entry && recordOf(entry);
    this.#known.set(id, { record, untilMs: this.#clock.now() + GATEWAY_LIMITS.tokenMs });
    return record;
  }
}

/**
 * The token of a request: `Authorization: Bearer TOKEN`, the password of `Authorization: Basic`, or `X-Shoal-Token`.
 * The latter two are what Harbor can be told to send.
 */
export function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization, 'x-shoal-token': own } = headers;
  if (typeof own === 'string') return own.trim();
  const [, scheme = '', value = ''] = /^(\w+) +(\S+) *$/.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const login = Buffer.from(value, 'base64').toString();
  return login.slice(login.indexOf(':') + 1);
}
