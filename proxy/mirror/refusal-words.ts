import { RefusedByRegistry } from '../../actors/client/ask-registry.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';

/**
 * The refusal of a client that has shown all it has, with the registry's own words, where it was asked in a way that
 * brings none. A manifest is what clients begin with: they show these words.
 */
export async function withWords(
  world: MirrorWorld,
  ask: Ask,
  path: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof RefusedByRegistry)) return error;
  const { status, body } = error.answer;
  const isTold = body.length > 0 || ask.isHead || ask.request.headers.authorization === undefined;
  if (isTold || ask.wanted !== 'manifest' || (status !== 401 && status !== 403)) return error;
  const { base, authorization, accept, via } = ask;
  const headers = { via, ...(accept !== undefined && { accept }) };
  const signal = AbortSignal.any([ask.signal, AbortSignal.timeout(world.limits.askMs)]);
  const question = { base, path, method: 'GET', authorization, headers } as const;
  const answer = await world.registry.ask(question, signal).catch(() => undefined);
  return answer?.status === status ? new RefusedByRegistry(answer) : error;
}
