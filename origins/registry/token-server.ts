import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { portOf } from '../../core/source.ts';
import { openExchange } from '../exchange.ts';
import { type FollowedAnswer, follow } from '../follow.ts';
import { addressRefused, connectionError, isPassing, statusError } from '../origin-error.ts';
import type { OriginReader } from '../probe.ts';
import { RetryBudget } from '../retry.ts';
import type { RegistryDemand } from './demand.ts';
import type { Credential } from './docker-config.ts';
import { drain, lateError, readBody } from './read-body.ts';

/** A token for a registry. */
export interface Token {
  readonly token: string;
  readonly lifetimeMs: number;
}

/** A token server gives no token, in its own words. */
export interface TokenRefusal {
  readonly refused: true;
  readonly status: number;
  /** `content-type`, where there are words. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What a token server said: a token, or that it gives none. */
export type TokenAnswer = Token | TokenRefusal;

type BearerDemand = Extract<RegistryDemand, { kind: 'bearer' }>;

const CLIENT = 'shoal';
const LONGEST_ANSWER = 1024 * 1024;
/** A refusal's own words are kept only where they are short. */
const LONGEST_WORDS = 64 * 1024;
const DANCE_MS = 10_000;
/** Where the server does not say how long a token lives. @see distribution, Token Authentication Specification */
const DEFAULT_SECONDS = 60;
const LONGEST_SECONDS = 24 * 3600;

// It becomes a header.
const tokenText = z
  .string()
  .regex(/^[\x21-\x7e]{1,32768}$/)
  .optional();
const answerSchema = z.object({
  token: tokenText.or(z.literal('')),
  access_token: tokenText.or(z.literal('')),
  expires_in: z.number().optional().catch(undefined),
});

/**
 * Asks the realm of a challenge for a token; without a credential, for one that everybody gets.
 * @throws ERR_SOURCE_UNAVAILABLE (no answer, 5xx or 429 after its retries), ERR_SOURCE_ADDRESS_REFUSED,
 *   ERR_SOURCE_TLS, ERR_SOURCE_PROTOCOL
 */
export async function fetchToken(
  reader: OriginReader,
  demand: BearerDemand,
  credential: Credential | undefined,
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(DANCE_MS)]);
  const budget = new RetryBudget(reader.limits, reader.clock, reader.random);
  const realm = new URL(demand.realm);
  try {
    for (;;) {
      try {
        return await ask(reader, demand, credential, until);
      } catch (error) {
        until.throwIfAborted();
        await budget.next(error, until);
      }
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw until.aborted ? lateError(realm, error) : error;
  }
}

async function ask(
  reader: OriginReader,
  demand: BearerDemand,
  credential: Credential | undefined,
  signal: AbortSignal,
): Promise<TokenAnswer> {
  if (credential?.kind === 'identity') {
    const answer = await exchangeIdentity(reader, demand, credential.token, signal);
    // A server that knows the older way alone takes the token for a password there.
    if (answer.status !== 404 && answer.status !== 405) return judge(answer, signal);
    await drain(answer, signal);
  }
  const url = new URL(demand.realm);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (demand.service !== undefined) url.searchParams.set('service', demand.service);
  for (const scope of scopesOf(demand)) url.searchParams.append('scope', scope);
  if (credential !== undefined) {
    const { user, password } = loginOf(credential);
    url.searchParams.set('client_id', CLIENT);
    url.searchParams.set('account', user);
    headers['authorization'] = basic(user, password);
  }
  return judge(await follow(reader, { url: url.href, headers }, {}, signal), signal);
}

function scopesOf({ scope }: BearerDemand): string[] {
  return (scope ?? '').split(' ').filter((part) => part !== '');
}

function loginOf(credential: Credential): { user: string; password: string } {
  if (credential.kind === 'login') return credential;
  const user = credential.kind === 'identity' ? credential.user : '';
  return { user: user === '' ? '<token>' : user, password: credential.token };
}

/** An Authorization header of a name and a password. */
export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** POST of an identity token; its redirects are not followed. @see distribution, OAuth2 Token Authentication */
async function exchangeIdentity(
  reader: OriginReader,
  demand: BearerDemand,
  token: string,
  signal: AbortSignal,
): Promise<FollowedAnswer> {
  const url = new URL(demand.realm);
  if (!reader.policy.allowsHost(url.hostname, portOf(url))) throw addressRefused(url.hostname, portOf(url));
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT, refresh_token: token });
  form.set('service', demand.service ?? '');
  if (demand.scope !== undefined) form.set('scope', demand.scope);
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'accept-encoding': 'identity' };
  const sent = openExchange(reader.connections, url, headers, signal, {
    method: 'POST',
    body: form.toString(),
  });
  const exchange = await sent.catch((error: unknown) => {
    throw signal.aborted ? signal.reason : connectionError(error, url);
  });
  return { ...exchange, url };
}

async function judge(answer: FollowedAnswer, signal: AbortSignal): Promise<TokenAnswer> {
  const { status, headers, url } = answer;
  if (isPassing(status)) {
    await drain(answer, signal);
    throw statusError(status, headers, url);
  }
  if (status !== 200) return refusalOf(answer, signal);
  const body = await readBody(answer, LONGEST_ANSWER, signal);
  const said = parse(body);
  const token = said?.token || said?.access_token;
  if (!token) {
    throw new ShoalError('ERR_SOURCE_PROTOCOL', `${url.host} answers a request for a token without one`, {
      details: { status },
    });
  }
  const seconds = said?.expires_in ?? DEFAULT_SECONDS;
  const lifetimeMs = 1000 * (seconds > 0 ? Math.min(seconds, LONGEST_SECONDS) : DEFAULT_SECONDS);
  return { token, lifetimeMs };
}

async function refusalOf(answer: FollowedAnswer, signal: AbortSignal): Promise<TokenRefusal> {
  const { status, headers } = answer;
  const type = headers['content-type'];
  // Words that cannot be read are none.
  const body = await readBody(answer, LONGEST_WORDS, signal).catch(() => new Uint8Array());
  const told = type === undefined || body.length === 0 ? {} : { 'content-type': type };
  return { refused: true, status, headers: told, body };
}

function parse(body: Uint8Array): z.infer<typeof answerSchema> | undefined {
  try {
    return answerSchema.parse(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    return undefined;
  }
}
