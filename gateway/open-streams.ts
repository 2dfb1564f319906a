import type { Clock } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import { GATEWAY_LIMITS } from './limits.ts';

/** Streams that are open: a bounded number, each for as long as its client may have it. */
export class OpenStreams {
  readonly #clock: Clock;
  readonly #open = new Set<AbortController>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param mayStill throws once the client may no longer have it. @throws ERR_API_BUSY */
  begin(controller: AbortController, mayStill: () => Promise<unknown>): void {
    if (this.#closed || this.#open.size >= GATEWAY_LIMITS.streams) {
      throw new ShoalError('ERR_API_BUSY', 'as many streams are open as may be');
    }
    this.#open.add(controller);
    const look = () => mayStill().then(again, (error: unknown) => controller.abort(error));
    let cancel = this.#clock.after(GATEWAY_LIMITS.beatMs, look);
    const again = () => {
      if (!controller.signal.aborted) cancel = this.#clock.after(GATEWAY_LIMITS.beatMs, look);
    };
    controller.signal.addEventListener('abort', () => {
      cancel();
      this.#open.delete(controller);
    });
  }

  /** Ends them all. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#open)
      controller.abort(new ShoalError('ERR_CANCELLED', 'the gateway stops'));
  }
}
