import type { ClaimVerdict, FirstByteQuestion, Question } from '../../core/claim.ts';
import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, ShoalError, toShoalError } from '../../core/errors.ts';
import type { Origin } from '../../origins/origin.ts';
import type { RegistryClient } from '../../origins/registry/registry.ts';
import { headOf, verdictOf, verdictOfFailure } from './ask-registry.ts';

/** What a question to a source needs. */
export interface AskWorld {
  readonly clock: Clock;
  readonly origin: Origin;
  readonly registry: RegistryClient;
}

/**
 * Asks a source whether it lets a client in; one that says nothing within the question's limit is out of reach.
 * @throws the signal's reason, where the client goes away while an origin is asked
 */
export async function askSource(
  world: AskWorld,
  question: Question,
  signal: AbortSignal,
): Promise<ClaimVerdict> {
  if (question.kind === 'answered') return question.verdict;
  if (question.kind === 'first-byte') return askFirstByte(world, question, signal);
  // Its answer is worth having also where this client goes away: others ask for the same.
  const limit = limitOf(world.clock, question.limitMs);
  try {
    return verdictOf(await headOf(world.registry, question, limit.signal));
  } catch (error) {
    return verdictOfFailure(error);
  } finally {
    limit.cancel();
  }
}

async function askFirstByte(
  { clock, origin }: AskWorld,
  { url, headers, known, limitMs }: FirstByteQuestion,
  signal: AbortSignal,
): Promise<ClaimVerdict> {
  const limit = limitOf(clock, limitMs);
  try {
    const until = AbortSignal.any([signal, limit.signal]);
    const answer = await origin.probe({ url, headers, known, prefixBytes: 1 }, until);
    if (answer.kind === 'unchanged') return { kind: 'allowed', open: false };
    answer.body.discard();
    return { kind: 'allowed', open: answer.probed.audience === 'public' };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toShoalError(thrown);
    // A source out of reach, or too busy, has not refused anybody.
    return { kind: REFUSALS.has(error.code) ? 'refused' : 'unreachable', error };
  } finally {
    limit.cancel();
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'ERR_SOURCE_REFUSED',
  'ERR_SOURCE_NOT_FOUND',
  'ERR_SOURCE_STATUS',
]);

/** A signal that aborts when the time is over. */
function limitOf(
  clock: Clock,
  limitMs: number,
): { readonly signal: AbortSignal; readonly cancel: () => void } {
  const late = new AbortController();
  const cancel = clock.after(limitMs, () =>
    late.abort(new ShoalError('ERR_SOURCE_UNAVAILABLE', `the source said nothing for ${limitMs} ms`)),
  );
  return { signal: late.signal, cancel };
}
