import type { SyncRequest } from '../../../core/sync-messages.ts';

/** A sync without what it says of the content. */
export function abstain(request: SyncRequest): SyncRequest {
  const nothing = { base: 0, have: undefined, added: [], hashes: undefined, probed: undefined, failures: [] };
  return {
    ...request,
    ...nothing,
    pieceLength: undefined,
    audience: undefined,
    mismatch: undefined,
    mayReadOrigin: false,
  };
}
