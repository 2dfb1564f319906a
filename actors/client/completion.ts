import type { Clock } from '../../core/clock.ts';
import type { DownloadProgress } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import { onAbort } from '../../core/on-abort.ts';
import type { PeerActor } from '../host/peer/peer.ts';
import { progressOf } from './download-facts.ts';
import { FreshRanges } from './fresh-ranges.ts';

const PROGRESS_MS = 200;

/** Whom to tell how far a download is. */
interface Progress {
  readonly tell: (progress: DownloadProgress) => void;
  /** Whether the client may know where the cached file is. */
  readonly maySee: () => boolean;
}

interface CompletionOptions {
  readonly clock: Clock;
  /** Absent: nobody asks. */
  readonly progress?: Progress;
  readonly signal: AbortSignal;
}

/** Resolves once a peer has all of its content, and the whole is right. @throws any ShoalError */
export function untilComplete(
  peer: PeerActor,
  { clock, progress, signal }: CompletionOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const teller = progress === undefined ? undefined : new Teller(peer, clock, progress);
    const finish = (settle: () => void) => {
      leave();
      cancelTick?.();
      unlisten();
      settle();
    };
    const check = () => {
      if (peer.state === 'serving') {
        teller?.tell();
        return finish(resolve);
      }
      if (peer.ended)
        return finish(() => reject(peer.error ?? new ShoalError('ERR_CANCELLED', 'the peer left')));
      teller?.tellNowAndThen();
    };
    const tick = () => {
      cancelTick = clock.after(PROGRESS_MS, tick);
      check();
    };
    let cancelTick = teller && clock.after(PROGRESS_MS, tick);
    const stop = () => finish(() => reject(signal.reason as Error));
    // Also where it was aborted before: a peer that nobody listens to any more leaves.
    const leave = peer.listen(check);
    const unlisten = onAbort(signal, stop);
    if (signal.aborted) return stop();
    check();
  });
}

/** Tells one client how far a peer is. */
class Teller {
  readonly #peer: PeerActor;
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #fresh: FreshRanges;
  #toldMs = Number.NEGATIVE_INFINITY;
  #toldState = '';

  constructor(peer: PeerActor, clock: Clock, progress: Progress) {
    this.#peer = peer;
    this.#clock = clock;
    this.#progress = progress;
    this.#fresh = new FreshRanges(peer.content);
  }

  tell(): void {
    const { maySee, tell } = this.#progress;
    tell({ ...progressOf(this.#peer), cached: maySee() ? this.#fresh.take() : undefined });
  }

  /** Tells it where the state is another, or the last time was a while ago. */
  tellNowAndThen(): void {
    const now = this.#clock.now();
    if (this.#peer.state === this.#toldState && now - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = now;
    this.#toldState = this.#peer.state;
    this.tell();
  }
}

/** Resolves when anything about the peer changed; rejects when it ended. @throws any ShoalError */
export function changed(peer: PeerActor, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      leave();
      unlisten();
      settle();
    };
    const check = () => {
      if (peer.ended) done(() => reject(peer.error ?? new ShoalError('ERR_CANCELLED', 'the peer left')));
      else done(resolve);
    };
    const stop = () => done(() => reject(signal.reason as Error));
    const leave = peer.listen(check);
    const unlisten = onAbort(signal, stop);
    if (signal.aborted) return stop();
    if (peer.ended) check();
  });
}
