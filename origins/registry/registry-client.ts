import type { IncomingHttpHeaders } from 'node:http';
import { ShoalError } from '../../core/errors.ts';
import { type FollowedAnswer, follow } from '../follow.ts';
import { drain } from '../open-body.ts';
import { publicHeaders, statusError } from '../origin-error.ts';
import type { OriginReader } from '../probe.ts';
import type { OwnHeaders } from '../request-headers.ts';
import { RetryBudget } from '../retry.ts';
import type { Authorizer, RegistryGrant } from './authorizer.ts';
import { LoginRefused } from './login-refused.ts';
import { readBody } from './read-body.ts';
import type { RegistryAnswer, RegistryClient, RegistryIdentity, RegistryRequest } from './registry.ts';
import { type RegistryTarget, registryTargetOf } from './target.ts';

const LONGEST_BODY = 16 * 1024 * 1024;
/** What a server or a gateway answers that never learned of HEAD; 503 and 504 say that it is busy. */
const BROKEN: ReadonlySet<number> = new Set([500, 502]);

/** Asks registries, with the token dance of `authorizer` where the client brought no credentials. */
export function createRegistryClient(reader: OriginReader, authorizer: Authorizer): RegistryClient {
  return {
    async ask(request, signal) {
      const url = urlOf(request);
      const target = registryTargetOf(url);
      if (target === undefined)
        throw new ShoalError('ERR_SOURCE_URL_INVALID', `no path of a registry: ${request.path}`);
      const budget = new RetryBudget(reader.limits, reader.clock, reader.random);
      for (;;) {
        try {
          return await askOnce(reader, authorizer, { ...request, url, target }, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof LoginRefused) return error.answer;
          await budget.next(error, signal);
        }
      }
    },
  };
}

/** @throws ERR_SOURCE_URL_INVALID */
function urlOf({ base, path }: RegistryRequest): string {
  const text = `${base.replace(/\/$/, '')}${path}`;
  const [root, url] = [new URL(base), URL.canParse(text) ? new URL(text) : undefined];
  const below = `${root.pathname.replace(/\/$/, '')}${path}`;
  // A path that leads elsewhere than it says would be asked under the wrong name.
  if (url !== undefined && url.origin === root.origin && `${url.pathname}${url.search}` === below)
    return text;
  throw new ShoalError(
    'ERR_SOURCE_URL_INVALID',
    `no path of a registry: ${JSON.stringify(path.slice(0, 300))}`,
  );
}

interface Asking extends RegistryRequest {
  readonly url: string;
  readonly target: RegistryTarget;
}

async function askOnce(
  reader: OriginReader,
  authorizer: Authorizer,
  asking: Asking,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  const { target, authorization, plain } = asking;
  const login = authorizer.login(target, authorization);
  if ((authorization !== undefined && login === undefined) || plain)
    return answerOf(asking, await send(reader, asking, authorization, signal), 'client', signal);
  let grant = await authorizer.known(target, login, signal);
  let answer = await send(reader, asking, grant?.authorization, signal);
  const challenge = challengeOf(target, answer.status, answer.headers['www-authenticate'], answer.url.origin);
  if (challenge !== undefined) {
    let next: RegistryGrant | undefined;
    try {
      next = await authorizer.answer(target, challenge, login, grant, signal);
    } catch (error) {
      answer.discard();
      throw error;
    }
    if (next !== undefined) {
      await drain(answer, signal);
      grant = next;
      answer = await send(reader, asking, grant.authorization, signal);
      if (answer.status === 401 && answer.url.origin === target.origin.origin)
        await authorizer.refused(target, grant);
    }
  }
  return answerOf(asking, answer, grant?.as ?? 'anonymous', signal);
}

async function send(
  reader: OriginReader,
  { url, method, headers = {} }: Asking,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<FollowedAnswer> {
  const { range, ...rest } = headers;
  const own: OwnHeaders = range === undefined ? {} : { range };
  const sent = { ...rest, ...(authorization !== undefined && { authorization }) };
  const answer = await follow(reader, { url, method, headers: sent }, own, signal);
  const { status } = answer;
  // 501 says that it will never be otherwise; of a HEAD, who asks finds out by a GET.
  if (status < 500 || status === 501 || (method === 'HEAD' && BROKEN.has(status))) return answer;
  answer.discard();
  throw statusError(status, answer.headers, answer.url);
}

async function answerOf(
  { method, target, headers: sent = {} }: Asking,
  answer: FollowedAnswer,
  as: RegistryIdentity,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  const { status, url } = answer;
  const headers = publicHeaders(answer.headers);
  // The challenge of another server is not to be answered with what belongs to the registry.
  if (url.origin !== target.origin.origin) delete headers['www-authenticate'];
  const unasked = sent['range'] !== undefined && status === 200;
  const isEmpty = method === 'HEAD' || status === 204 || status === 304;
  if (isEmpty || unasked) await drain(answer, signal);
  const body = isEmpty || unasked ? new Uint8Array() : await readBody(answer, LONGEST_BODY, signal);
  return { status, headers, body, as };
}

/** The challenge of a refusal, where it came from the registry itself and not from where it sent us. */
export function challengeOf(
  target: RegistryTarget,
  status: unknown,
  header: IncomingHttpHeaders[string],
  origin: unknown,
): string | undefined {
  if (status !== 401 || origin !== target.origin.origin) return undefined;
  return Array.isArray(header) ? header.join(', ') : header;
}
