import { ShoalError, toShoalError } from '../../core/errors.ts';
import { onAbort } from '../../core/on-abort.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { OriginReader } from '../probe.ts';
import type { ClientLogins } from './client-logins.ts';
import type { ConfiguredCredential, RegistryCredentials } from './credentials.ts';
import { demandOf, type RegistryDemand } from './demand.ts';
import { LoginRefused } from './login-refused.ts';
import type { RegistryIdentity } from './registry.ts';
import { isPrivateWay, type RegistryTarget } from './target.ts';
import { TokenCache } from './token-cache.ts';
import { basic, fetchToken, type Token, type TokenAnswer } from './token-server.ts';

/** What to send to a registry, and under whose name. */
export interface RegistryGrant {
  readonly authorization: string;
  readonly as: RegistryIdentity;
}

/** Whose credentials may answer a challenge: a client's own login, else those that this host is configured with. */
export type ClientLogin = ConfiguredCredential | undefined;

const MOST_DEMANDS = 10_000;
const MOST_REFUSALS = 10_000;
/** A credential that was refused is not tried again for so long, ms, so that no account is locked. */
const REFUSED_MS = 30_000;
/** A client's login not for so long, ms: whoever types it anew is not to wait, and one request may ask several times. */
const LOGIN_REFUSED_MS = 1_000;

/**
 * Answers the challenges of registries: with what this host is configured with, else with what everybody gets; for a
 * client with a login of its own, with that alone.
 */
export class Authorizer {
  readonly #reader: OriginReader;
  readonly #credentials: RegistryCredentials;
  readonly #logins: ClientLogins;
  readonly #tokens: TokenCache;
  /** What each repository wanted last. */
  readonly #demands = new RecentMap<string, RegistryDemand>(MOST_DEMANDS);
  /** Until when a credential counts as refused. */
  readonly #refusals = new RecentMap<string, number>(MOST_REFUSALS);
  /** What token servers said of logins of clients, and until when it counts. */
  readonly #refusedLogins = new RecentMap<string, { error: LoginRefused; untilMs: number }>(MOST_REFUSALS);
  readonly #closed = new AbortController();

  constructor(reader: OriginReader, credentials: RegistryCredentials, logins: ClientLogins) {
    this.#reader = reader;
    this.#credentials = credentials;
    this.#logins = logins;
    this.#tokens = new TokenCache(reader.clock);
  }

  /**
   * The client's login that an `authorization` stands for; undefined for any other, which is for the registry as it is.
   * @throws ERR_SOURCE_REFUSED where it stands for a login that is forgotten, or for another registry
   */
  login({ origin }: RegistryTarget, authorization: string | undefined): ClientLogin {
    if (!this.#logins.isName(authorization)) return undefined;
    const login = this.#logins.find(authorization, origin);
    if (login !== undefined) return login;
    throw new ShoalError('ERR_SOURCE_REFUSED', 'this login is no longer known here', {
      details: { status: 401 },
    });
  }

  /**
   * What the registry let us in with before, renewed where it has run out; undefined where nothing is known.
   * @throws LoginRefused
   */
  async known(
    target: RegistryTarget,
    login: ClientLogin,
    signal: AbortSignal,
  ): Promise<RegistryGrant | undefined> {
    const demand = this.#demands.get(nameOf(target));
    if (demand === undefined) return undefined;
    try {
      return await unlessAborted(this.#grant(target, demand, login, undefined), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LoginRefused) throw error;
      // It may have another token server by now: the registry will say.
      this.#demands.delete(nameOf(target));
      this.#log('a token could not be renewed', target, error);
      return undefined;
    }
  }

  /**
   * Answers a challenge that came from the registry itself; undefined where there is nothing that could help.
   * @param tried What the registry refused.
   * @throws LoginRefused, ERR_SOURCE_* of the token server
   */
  async answer(
    target: RegistryTarget,
    challenge: string,
    login: ClientLogin,
    tried: RegistryGrant | undefined,
    signal: AbortSignal,
  ): Promise<RegistryGrant | undefined> {
    const demand = demandOf(challenge, target.repository);
    if (demand === undefined) return undefined;
    this.#demands.set(nameOf(target), demand);
    return unlessAborted(this.#grant(target, demand, login, tried), signal);
  }

  /** What was just given was refused: a password, or a token that is configured, is not tried again for a while. */
  async refused(target: RegistryTarget, { authorization }: RegistryGrant): Promise<void> {
    const demand = this.#demands.get(nameOf(target));
    const configured = await this.#credentials.find(target);
    if (demand === undefined || configured === undefined) return;
    if (ownGrant(demand, configured)?.authorization === authorization) this.#refuse(target, configured);
  }

  /** Ends what is under way. */
  close(): void {
    this.#closed.abort(new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the client of registries is closed'));
  }

  async #grant(
    target: RegistryTarget,
    demand: RegistryDemand,
    login: ClientLogin,
    tried: RegistryGrant | undefined,
  ): Promise<RegistryGrant | undefined> {
    if (login !== undefined) return this.#ofClient(target, demand, login, tried);
    const configured = await this.#configured(target, demand);
    const own = configured && ownGrant(demand, configured);
    if (own !== undefined && own.authorization !== tried?.authorization) return own;
    if (own !== undefined && configured !== undefined) this.#refuse(target, configured);
    if (demand.kind === 'basic') return undefined;
    const tokenOf = async (one: ConfiguredCredential | undefined): Promise<RegistryGrant | undefined> => {
      const answer = await this.#token(target, demand, one, tried);
      if (!('refused' in answer)) return bearer(answer, one === undefined ? 'anonymous' : 'configured');
      if (one !== undefined) this.#refuse(target, one);
      return undefined;
    };
    const forServer = own === undefined ? configured : undefined;
    return (forServer && (await tokenOf(forServer))) ?? tokenOf(undefined);
  }

  /** With a client's login, and nothing in its place. @throws LoginRefused */
  async #ofClient(
    target: RegistryTarget,
    demand: RegistryDemand,
    login: ConfiguredCredential,
    tried: RegistryGrant | undefined,
  ): Promise<RegistryGrant | undefined> {
    if (demand.kind === 'basic') {
      const own = ownGrant(demand, login, 'client');
      return own?.authorization === tried?.authorization ? undefined : own;
    }
    if (!maySend(target, demand)) {
      this.#log(IN_THE_OPEN, target, undefined);
      return undefined;
    }
    const key = refusalKey(target, login);
    const refused = this.#refusedLogins.get(key);
    if (refused !== undefined && refused.untilMs > this.#reader.clock.now()) throw refused.error;
    const answer = await this.#token(target, demand, login, tried);
    if (!('refused' in answer)) return bearer(answer, 'client');
    const error = new LoginRefused(answer);
    this.#refusedLogins.set(key, { error, untilMs: this.#reader.clock.now() + LOGIN_REFUSED_MS });
    throw error;
  }

  /** The credential for the registry, where it may be sent to where it has to go, and has not just been refused. */
  async #configured(
    target: RegistryTarget,
    demand: RegistryDemand,
  ): Promise<ConfiguredCredential | undefined> {
    const configured = await this.#credentials.find(target);
    if (configured === undefined) return undefined;
    const refusedUntilMs = this.#refusals.get(refusalKey(target, configured)) ?? 0;
    if (refusedUntilMs > this.#reader.clock.now()) return undefined;
    if (maySend(target, demand)) return configured;
    this.#refuse(target, configured, IN_THE_OPEN);
    return undefined;
  }

  #token(
    target: RegistryTarget,
    demand: Extract<RegistryDemand, { kind: 'bearer' }>,
    shown: ConfiguredCredential | undefined,
    tried: RegistryGrant | undefined,
  ): Promise<TokenAnswer> {
    const { realm, service = '', scope = '' } = demand;
    const key = JSON.stringify([target.origin.origin, realm, service, scope, shown?.hash]);
    const notThis = tried?.authorization.slice('Bearer '.length);
    return this.#tokens.take(key, notThis, () =>
      fetchToken(this.#reader, demand, shown?.credential, this.#closed.signal),
    );
  }

  #refuse(
    target: RegistryTarget,
    configured: ConfiguredCredential,
    why = 'the credentials configured for a registry were refused',
  ): void {
    const untilMs = this.#reader.clock.now() + REFUSED_MS;
    this.#refusals.set(refusalKey(target, configured), untilMs);
    this.#log(why, target, undefined);
  }

  #log(message: string, { origin, repository }: RegistryTarget, error: unknown): void {
    const why = error === undefined ? {} : { error: toShoalError(error).message };
    this.#reader.logger.warn({ registry: origin.origin, repository, ...why }, message);
  }
}

const IN_THE_OPEN = 'no credentials for a token server in the open of a registry that is not';

/** Whether credentials for a registry may go to where its challenge sends them. */
function maySend({ origin }: RegistryTarget, demand: RegistryDemand): boolean {
  return demand.kind === 'basic' || !isPrivateWay(origin) || isPrivateWay(new URL(demand.realm));
}

function bearer({ token }: Token, as: RegistryIdentity): RegistryGrant {
  return { authorization: `Bearer ${token}`, as };
}

/** A credential that goes to the registry itself. */
function ownGrant(
  demand: RegistryDemand,
  { credential }: ConfiguredCredential,
  as: RegistryIdentity = 'configured',
): RegistryGrant | undefined {
  if (demand.kind === 'basic') {
    if (credential.kind !== 'login') return undefined;
    return { authorization: basic(credential.user, credential.password), as };
  }
  if (credential.kind !== 'bearer') return undefined;
  return { authorization: `Bearer ${credential.token}`, as };
}

function nameOf({ origin, repository }: RegistryTarget): string {
  return `${origin.origin}\n${repository}`;
}

function refusalKey(target: RegistryTarget, { hash }: ConfiguredCredential): string {
  return `${nameOf(target)}\n${hash}`;
}

/** Waits with whoever else waits; rejects with the signal's reason when it aborts first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    const unlisten = onAbort(signal, () => reject(signal.reason));
    work.then(resolve, reject).finally(unlisten);
  });
}
