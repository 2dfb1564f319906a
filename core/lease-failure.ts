import type { ErrorCode, ShoalError } from './errors.ts';
import type { FailureReason } from './sync-messages.ts';

/** Why a lease brought nothing, or not all. */
export interface LeaseFailure {
  /** As the scheduler is told. */
  readonly reason: FailureReason;
  readonly error: ShoalError;
}

const REASONS: Partial<Record<ErrorCode, FailureReason>> = {
  ERR_PEER_BUSY: 'busy',
  ERR_PEER_MISSING: 'missing',
  ERR_PEER_UNAVAILABLE: 'unreachable',
  ERR_PEER_STALLED: 'stalled',
  ERR_PEER_PROTOCOL: 'protocol',
  ERR_PIECE_CORRUPT: 'corrupt',
  ERR_AUTH_DENIED: 'denied',
  // The parent is looking the key up: try again, blame nobody.
  ERR_AUTH_KEY_UNKNOWN: 'busy',
  ERR_TASK_CHANGED: 'origin-changed',
  ERR_SOURCE_UNAVAILABLE: 'origin-unavailable',
  ERR_SOURCE_TLS: 'origin-unavailable',
  ERR_SOURCE_NOT_FOUND: 'origin-status',
  ERR_SOURCE_REFUSED: 'origin-status',
  ERR_SOURCE_STATUS: 'origin-status',
  ERR_SOURCE_ADDRESS_REFUSED: 'origin-status',
  ERR_SOURCE_PROTOCOL: 'origin-unavailable',
  ERR_STORE_FULL: 'store',
  ERR_STORE_IO: 'store',
};

/** What an error of a transfer is to the scheduler. */
export function leaseFailure(error: ShoalError): LeaseFailure {
  return { reason: REASONS[error.code] ?? 'protocol', error };
}
