import { createHash, createHmac } from 'node:crypto';
import type { Cancel, Clock, Random } from '../../core/clock.ts';
import type { ConfiguredCredential } from './credentials.ts';
import type { Credential } from './docker-config.ts';

/** What stands for a login in an `authorization` of this process. It is never sent: a registry is shown the login itself. */
const SCHEME = 'Shoal-Login ';
const MOST_LOGINS = 1_000;
/** A login that nobody used for so long is forgotten, ms; a read that goes on uses it with each range. */
const IDLE_MS = 15 * 60_000;

interface Kept {
  readonly credential: Credential;
  /** Scheme, host and port of the one registry that it may be shown to. */
  readonly origin: string;
  /** How often it was given: what was had with it before is not used again. */
  given: number;
  usedMs: number;
}

/** The logins that clients gave this host, each for one registry: in memory alone, and forgotten when unused. */
export class ClientLogins {
  readonly #clock: Clock;
  readonly #key: Uint8Array;
  /** The longest unused first. */
  readonly #logins = new Map<string, Kept>();
  #sweep: Cancel | undefined;

  /** @param random makes the names of logins unguessable */
  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#key = random.bytes(32);
  }

  /** Keeps a login for one registry. What it returns stands for it as an `authorization`, the same for the same login. */
  keep(base: string, credential: Credential): string {
    const { origin } = new URL(base);
    const told = JSON.stringify([base, credential]);
    const name = `${SCHEME}${createHmac('sha256', this.#key).update(told).digest('base64url')}`;
    const given = (this.#logins.get(name)?.given ?? 0) + 1;
    this.#use(name, { credential, origin, given, usedMs: 0 });
    for (const [oldest] of this.#logins) {
      if (this.#logins.size <= MOST_LOGINS) break;
      this.#logins.delete(oldest);
    }
    this.#sweep ??= this.#clock.after(IDLE_MS, () => this.#forgetIdle());
    return name;
  }

  /** Whether an `authorization` stands for a login, a forgotten one too. */
  isName(authorization: string | undefined): boolean {
    return authorization?.startsWith(SCHEME) ?? false;
  }

  /** The login that a name stands for, for this registry; undefined for another, or where it is forgotten. */
  find(name: string | undefined, origin: URL): ConfiguredCredential | undefined {
    const kept = name === undefined ? undefined : this.#logins.get(name);
    if (name === undefined || kept === undefined || kept.origin !== origin.origin) return undefined;
    this.#use(name, kept);
    const hash = createHash('sha256').update(`${name} ${kept.given}`).digest('base64url');
    return { credential: kept.credential, hash };
  }

  /** Forgets all. */
  close(): void {
    this.#sweep?.();
    this.#logins.clear();
  }

  #use(name: string, kept: Kept): void {
    kept.usedMs = this.#clock.now();
    this.#logins.delete(name);
    this.#logins.set(name, kept);
  }

  #forgetIdle(): void {
    const untilMs = this.#clock.now() - IDLE_MS;
    for (const [name, { usedMs }] of this.#logins) {
      if (usedMs > untilMs) break;
      this.#logins.delete(name);
    }
    const more = this.#logins.size > 0;
    this.#sweep = more ? this.#clock.after(IDLE_MS, () => this.#forgetIdle()) : undefined;
  }
}
