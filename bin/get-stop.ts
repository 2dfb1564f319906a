import { ShoalError } from '../core/errors.ts';
import { onAbort } from '../core/on-abort.ts';
import { formatDuration, parseDuration } from '../core/units.ts';
import { stopAsked } from './stop.ts';

const GRACE_MS = 2_000;

/** What ends a get before its time: a signal of the terminal, or its --timeout. */
export interface GetStop {
  readonly signal: AbortSignal;
  /** No time limit any more. */
  end(): void;
}

/** @param last what to do where a second signal ends the process at once. @throws ERR_CONFIG_INVALID */
export function openGetStop(timeout: string | undefined, last: () => void): GetStop {
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  const stopping = new AbortController();
  void stopAsked(last).then(() => stopping.abort(new ShoalError('ERR_CANCELLED', 'interrupted')));
  const late = (): void => {
    stopping.abort(new ShoalError('ERR_TIMEOUT', `not done in ${formatDuration(timeoutMs ?? 0)}`));
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  return { signal: stopping.signal, end: () => clearTimeout(timer) };
}

/** What was told to stop and does not is left alone. */
export function withinGrace<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    onAbort(signal, () => void setTimeout(() => reject(signal.reason as Error), GRACE_MS));
    work.then(resolve, reject);
  });
}
