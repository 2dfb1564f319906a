import { verdictOf } from '../../actors/client/ask-registry.ts';
import type { RegistryAnswer } from '../../origins/registry/registry.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';

/** Headers of a registry's answer, a refusal too, that its clients read. */
const PASSED = [
  'content-type',
  'docker-content-digest',
  'etag',
  'oci-filters-applied',
  'oci-subject',
  'retry-after',
  'warning',
  'www-authenticate',
];

/**
 * Asks the upstream and answers as it does; nothing is kept. Its refusals are given as they are: what a 404 of referrers
 * means (not this one, or none at all here) clients read from its body.
 * @throws ERR_SOURCE_*
 */
export async function passThrough(
  world: MirrorWorld,
  ask: Ask,
  path: string,
  mirrored: (target: string) => string,
): Promise<void> {
  const { base, authorization, accept, via } = ask;
  const headers = { via, ...(accept !== undefined && { accept }) };
  const signal = AbortSignal.any([ask.signal, AbortSignal.timeout(world.limits.askMs)]);
  // From the base clients learn what credentials are asked for.
  const plain = path === '/v2/';
  const answered = await world.registry.ask(
    { base, path, method: 'GET', authorization, plain, headers },
    signal,
  );
  const verdict = verdictOf(answered);
  if (verdict.kind === 'unreachable') throw verdict.error;
  const next = nextPage(answered.headers['link']);
  if (next !== undefined) ask.response.setHeader('link', `<${mirrored(next)}>; rel="next"`);
  passAnswer(ask, answered);
}

/** Gives an answer of a registry as it is. */
export function passAnswer(
  { response, isHead, challenge }: Ask,
  { status, headers, body }: RegistryAnswer,
): void {
  if (status === 401 && challenge !== undefined) response.setHeader('www-authenticate', challenge);
  for (const name of PASSED) {
    const value = headers[name];
    if (value !== undefined && !response.hasHeader(name)) response.setHeader(name, value);
  }
  response.setHeader('x-shoal-from', 'upstream');
  response.writeHead(status, { 'content-length': body.length });
  response.end(isHead ? undefined : body);
}

/** Path and query of the next page, where the registry's `Link` names one of its own. */
function nextPage(link: string | undefined): string | undefined {
  const target = /^<([^>\s]{1,4096})>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, 'http://registry')) return undefined;
  const { pathname, search } = new URL(target, 'http://registry');
  return pathname.startsWith('/v2/') ? `${pathname}${search}` : undefined;
}
