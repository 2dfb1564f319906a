import { ShoalError } from '../core/errors.ts';
import type { StoredTask } from '../storage/store.ts';
import type { PeerActor } from './peer.ts';

const CHUNK_BYTES = 1024 * 1024;

/**
 * The content in order while its pieces arrive in any order. Only the piece that a waiting reader needs next is
 * urgent, and only when nothing is buffered for it.
 * @param admit is asked once, before the first byte. @throws any ShoalError
 */
export async function* readInOrder(
  peer: PeerActor,
  admit: (stored: StoredTask) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let position = 0;
  let admitted = false;
  for (;;) {
    const { stored, length, pieceLength } = peer.content;
    if (length !== undefined && position >= length) return;
    const piece = pieceLength === undefined ? 0 : Math.floor(position / pieceLength);
    if (stored === undefined || pieceLength === undefined || !stored.have.has(piece)) {
      if (stored !== undefined) peer.starve(piece);
      await changed(peer, signal);
      continue;
    }
    if (!admitted) await admit(stored);
    admitted = true;
    const end = Math.min((piece + 1) * pieceLength, length ?? Number.POSITIVE_INFINITY);
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position));
    const read = await stored.read(buffer, position);
    position += read;
    yield buffer.subarray(0, read);
  }
}

/** Resolves when anything about the peer changed; rejects when it ended. */
function changed(peer: PeerActor, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      unlisten();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = () => done(() => reject(signal.reason as Error));
    const check = () => {
      if (peer.ended) done(() => reject(peer.error ?? new ShoalError('ERR_CANCELLED', 'the peer left')));
      else done(resolve);
    };
    const unlisten = peer.listen(check);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (peer.ended) check();
  });
}
