import type { Clock } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import { progressOf } from './download-facts.ts';
import type { DownloadProgress } from './downloads.ts';
import { FreshRanges } from './fresh-ranges.ts';
import type { PeerActor } from './peer.ts';

const PROGRESS_MS = 200;

interface CompletionOptions {
  readonly clock: Clock;
  readonly onProgress: (progress: DownloadProgress) => void;
  /** Whether the client may know where the cached file is. */
  readonly maySee: () => boolean;
  readonly signal: AbortSignal;
}

/** Resolves once a peer has all of its content, and the whole is right. @throws any ShoalError */
export function untilComplete(peer: PeerActor, options: CompletionOptions): Promise<void> {
  const { clock, onProgress, maySee, signal } = options;
  return new Promise((resolve, reject) => {
    let toldMs = Number.NEGATIVE_INFINITY;
    let toldState = '';
    const fresh = new FreshRanges(peer.content);
    const tell = () => onProgress({ ...progressOf(peer), cached: maySee() ? fresh.take() : undefined });
    const finish = (settle: () => void) => {
      unlisten();
      cancelTick();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason as Error));
    const check = () => {
      if (peer.state === 'serving') {
        tell();
        return finish(resolve);
      }
      if (peer.ended)
        return finish(() => reject(peer.error ?? new ShoalError('ERR_CANCELLED', 'the peer left')));
      if (peer.state === toldState && clock.now() - toldMs < PROGRESS_MS) return;
      toldMs = clock.now();
      toldState = peer.state;
      tell();
    };
    const tick = () => {
      cancelTick = clock.after(PROGRESS_MS, tick);
      check();
    };
    let cancelTick = clock.after(PROGRESS_MS, tick);
    const unlisten = peer.listen(check);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    check();
  });
}

/** Resolves when anything about the peer changed; rejects when it ended. @throws any ShoalError */
export function changed(peer: PeerActor, signal: AbortSignal): Promise<void> {
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
