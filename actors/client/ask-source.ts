import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, ShoalError, toShoalError } from '../../core/errors.ts';
import type { Validator } from '../../core/source.ts';
import type { Origin, OriginRequest } from '../../origins/origin.ts';
import type { Verdict } from './access.ts';

/** What a question to a source needs. */
export interface AskWorld {
  readonly clock: Clock;
  readonly origin: Origin;
}

/** Asks a source whether it lets a client in; one that says nothing for `limitMs` cannot be reached. */
export async function askSource(
  { clock, origin }: AskWorld,
  request: OriginRequest & { readonly known?: Validator | undefined },
  limitMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const { signal: until, cancel } = within(clock, limitMs, signal);
  try {
    const answer = await origin.probe({ ...request, prefixBytes: 1 }, until);
    if (answer.kind === 'unchanged') return { kind: 'allowed', open: false };
    answer.body.discard();
    return { kind: 'allowed', open: answer.probed.audience === 'public' };
  } catch (error) {
    signal.throwIfAborted();
    return verdictOf(toShoalError(error));
  } finally {
    cancel();
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'ERR_SOURCE_REFUSED',
  'ERR_SOURCE_NOT_FOUND',
  'ERR_SOURCE_STATUS',
]);

/** What an error of an origin says of the client: a source out of reach, or too busy, has not refused it. */
function verdictOf(error: ShoalError): Verdict {
  return { kind: REFUSALS.has(error.code) ? 'refused' : 'unreachable', error };
}

/** A signal that aborts with another, or when the time is over. */
function within(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
): { readonly signal: AbortSignal; readonly cancel: () => void } {
  const late = new AbortController();
  const cancel = clock.after(limitMs, () =>
    late.abort(new ShoalError('ERR_SOURCE_UNAVAILABLE', `the source said nothing for ${limitMs} ms`)),
  );
  return { signal: AbortSignal.any([signal, late.signal]), cancel };
}
