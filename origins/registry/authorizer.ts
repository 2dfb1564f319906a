import { ShoalError, toShoalError } from '../../core/errors.ts';
import { onAbort } from '../../core/on-abort.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { OriginReader } from '../probe.ts';
import type { ConfiguredCredential, RegistryCredentials } from './credentials.ts';
import { demandOf, type RegistryDemand } from './demand.ts';
import type { RegistryIdentity } from './registry.ts';
import { isPrivateWay, type RegistryTarget } from './target.ts';
import { TokenCache } from './token-cache.ts';
import { basic, fetchToken } from './token-server.ts';

/** What to send to a registry, and under whose name. */
export interface RegistryGrant {
  readonly authorization: string;
  readonly as: Exclude<RegistryIdentity, 'client'>;
}

const MOST_DEMANDS = 10_000;
const MOST_REFUSALS = 10_000;
/** A credential that was refused is not tried again for so long, ms, so that no account is locked. */
const REFUSED_MS = 30_000;

/** Answers the challenges of registries: with what this host is configured with, else with what everybody gets. */
export class Authorizer {
  readonly #reader: OriginReader;
  readonly #credentials: RegistryCredentials;
  readonly #tokens: TokenCache;
  /** What each repository wanted last. */
  readonly #demands = new RecentMap<string, RegistryDemand>(MOST_DEMANDS);
  /** Until when a credential counts as refused. */
  readonly #refusals = new RecentMap<string, number>(MOST_REFUSALS);
  readonly #closed = new AbortController();

  constructor(reader: OriginReader, credentials: RegistryCredentials) {
    this.#reader = reader;
    this.#credentials = credentials;
    this.#tokens = new TokenCache(reader.clock);
  }

  /** What the registry let us in with before, renewed where it has run out; undefined where nothing is known. */
  async known(target: RegistryTarget, signal: AbortSignal): Promise<RegistryGrant | undefined> {
    const demand = this.#demands.get(nameOf(target));
    if (demand === undefined) return undefined;
    try {
      return await unlessAborted(this.#grant(target, demand, undefined), signal);
    } catch (error) {
      signal.throwIfAborted();
      // It may have another token server by now: the registry will say.
      this.#demands.delete(nameOf(target));
      this.#log('a token could not be renewed', target, error);
      return undefined;
    }
  }

  /**
   * Answers a challenge that came from the registry itself; undefined where there is nothing that could help.
   * @param tried What the registry refused.
   * @throws ERR_SOURCE_* of the token server
   */
  async answer(
    target: RegistryTarget,
    challenge: string,
    tried: RegistryGrant | undefined,
    signal: AbortSignal,
  ): Promise<RegistryGrant | undefined> {
    const demand = demandOf(challenge, target.repository);
    if (demand === undefined) return undefined;
    this.#demands.set(nameOf(target), demand);
    return unlessAborted(this.#grant(target, demand, tried), signal);
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
    tried: RegistryGrant | undefined,
  ): Promise<RegistryGrant | undefined> {
    const configured = await this.#configured(target, demand);
    const own = configured && ownGrant(demand, configured);
    if (own !== undefined && own.authorization !== tried?.authorization) return own;
    if (own !== undefined && configured !== undefined) this.#refuse(target, configured);
    if (demand.kind === 'basic') return undefined;
    const login = own === undefined ? configured : undefined;
    return (
      (login && (await this.#token(target, demand, login, tried))) ??
      this.#token(target, demand, undefined, tried)
    );
  }

  /** The credential for the registry, where it may be sent to where it has to go, and has not just been refused. */
  async #configured(
    target: RegistryTarget,
    demand: RegistryDemand,
  ): Promise<ConfiguredCredential | undefined> {
    const { origin } = target;
    const configured = await this.#credentials.find(target);
    if (configured === undefined) return undefined;
    const refusedUntilMs = this.#refusals.get(refusalKey(target, configured)) ?? 0;
    if (refusedUntilMs > this.#reader.clock.now()) return undefined;
    if (demand.kind === 'basic' || !isPrivateWay(origin) || isPrivateWay(new URL(demand.realm)))
      return configured;
    this.#refuse(
      target,
      configured,
      'no credentials for a token server in the open of a registry that is not',
    );
    return undefined;
  }

  async #token(
    target: RegistryTarget,
    demand: Extract<RegistryDemand, { kind: 'bearer' }>,
    configured: ConfiguredCredential | undefined,
    tried: RegistryGrant | undefined,
  ): Promise<RegistryGrant | undefined> {
    const { realm, service = '', scope = '' } = demand;
    const key = JSON.stringify([target.origin.origin, realm, service, scope, configured?.hash]);
    const notThis = tried?.authorization.slice('Bearer '.length);
    const answer = await this.#tokens.take(key, notThis, () =>
      fetchToken(this.#reader, demand, configured?.credential, this.#closed.signal),
    );
    if (!('refused' in answer)) {
      return { authorization: `Bearer ${answer.token}`, as: configured ? 'configured' : 'anonymous' };
    }
    if (configured !== undefined) this.#refuse(target, configured);
    return undefined;
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

/** A credential that goes to the registry itself. */
function ownGrant(demand: RegistryDemand, { credential }: ConfiguredCredential): RegistryGrant | undefined {
  if (demand.kind === 'basic') {
    if (credential.kind !== 'login') return undefined;
    return { authorization: basic(credential.user, credential.password), as: 'configured' };
  }
  if (credential.kind !== 'bearer') return undefined;
  return { authorization: `Bearer ${credential.token}`, as: 'configured' };
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
