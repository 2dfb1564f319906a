import {
  isExpired,
  makeToken,
  type Scope,
  type TokenRecord,
  tokenRecordSchema,
} from '../../core/api-token.ts';
import type { Clock, Random } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import type { Bus, DirectoryEntry } from '../../transport/bus.ts';

/** A token that is made; its text stands nowhere else. */
export interface MadeToken {
  readonly record: TokenRecord;
  readonly text: string;
}

/** What a new token is to be. */
export interface TokenWish {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Absent: it does not expire. */
  readonly forMs?: number | undefined;
}

/** A token as it is kept; undefined where the entry is none. */
export function recordOf({ value }: Pick<DirectoryEntry, 'value'>): TokenRecord | undefined {
  try {
    return tokenRecordSchema.parse(JSON.parse(new TextDecoder().decode(value)));
  } catch {
    return undefined;
  }
}

/** The tokens of a swarm, of which only hashes are kept. Each throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT, ERR_BUS_DENIED. */
export class TokenStore {
  readonly #world: { readonly bus: Bus; readonly clock: Clock; readonly random: Random };

  constructor(world: { readonly bus: Bus; readonly clock: Clock; readonly random: Random }) {
    this.#world = world;
  }

  async create({ name, scopes, forMs }: TokenWish): Promise<MadeToken> {
    const { clock, random } = this.#world;
    const { id, hash, text } = makeToken(random);
    const createdAtMs = Math.floor(clock.wall());
    const expiry = forMs === undefined ? {} : { expiresAtMs: createdAtMs + forMs };
    const record: TokenRecord = { id, name, scopes: [...new Set(scopes)], hash, createdAtMs, ...expiry };
    await this.#directory.put(id, new TextEncoder().encode(JSON.stringify(record)), 0);
    return { record, text };
  }

  /** Oldest first. */
  async list(): Promise<TokenRecord[]> {
    const records = (await this.#directory.entries()).flatMap((entry) => recordOf(entry) ?? []);
    return records.sort((a, b) => a.createdAtMs - b.createdAtMs);
  }

  /** Ends tokens by id or name; all that are expired where nothing is named. @throws ERR_TOKEN_NOT_FOUND */
  async revoke(named: string | undefined): Promise<TokenRecord[]> {
    const wallMs = this.#world.clock.wall();
    const meant = (await this.#directory.entries()).flatMap((entry) => {
      const record = recordOf(entry);
      if (record === undefined) return [];
      const isMeant =
        named === undefined ? isExpired(record, wallMs) : record.id === named || record.name === named;
      return isMeant ? [{ record, revision: entry.revision }] : [];
    });
    if (named !== undefined && meant.length === 0) {
      throw new ShoalError('ERR_TOKEN_NOT_FOUND', `there is no token ${JSON.stringify(named.slice(0, 80))}`);
    }
    for (const { record, revision } of meant) await this.#directory.remove(record.id, revision);
    return meant.map(({ record }) => record);
  }

  get #directory() {
    return this.#world.bus.directory('tokens');
  }
}
