import { ShoalError } from '../core/errors.ts';

/** What every operation answers while disconnected, and what one in flight answers when the connection drops. */
export function unavailable(cause?: unknown): ShoalError {
  return new ShoalError('ERR_BUS_UNAVAILABLE', 'not connected to NATS', { cause });
}

/** What a request answers whose signal aborted. */
export function cancelled(signal: AbortSignal | undefined): ShoalError {
  return new ShoalError('ERR_CANCELLED', 'the request was cancelled', { cause: signal?.reason });
}
