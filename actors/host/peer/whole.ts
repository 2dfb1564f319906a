import { ShoalError, toShoalError } from '../../../core/errors.ts';
import type { HostWorld } from '../world.ts';
import type { PeerContent } from './content.ts';
import type { PeerOrigin } from './origin.ts';
import type { PeerStory } from './story.ts';
import type { SyncState } from './sync-state.ts';
import { readSamples, WholeCheck } from './whole-check.ts';

interface PeerWholeOptions {
  readonly world: HostWorld;
  readonly content: PeerContent;
  readonly origin: PeerOrigin;
  readonly sync: SyncState;
  readonly story: PeerStory;
  readonly signal: AbortSignal;
  /** Whether a scheduler is there to settle a contradiction. */
  readonly isHeard: () => boolean;
  readonly scheduleSync: () => void;
  /** The whole is what it should be, and the disk knows that it is complete. */
  readonly onAgreed: () => void;
  readonly fail: (error: ShoalError) => void;
}

/** The whole of a peer's content against its digest, and what is done where the two contradict each other. */
export class PeerWhole {
  readonly #options: PeerWholeOptions;
  readonly #check: WholeCheck;
  /** Counts what `compare` compares: pieces taken back begin another whole. */
  #whole = 0;
  #contradicted = false;
  #sampling = false;

  constructor(options: PeerWholeOptions) {
    this.#options = options;
    this.#check = new WholeCheck(options.content, options.signal);
  }

  /** The whole contradicts the digest, and the scheduler has not settled yet why. */
  get contradicted(): boolean {
    return this.#contradicted;
  }

  /** A piece arrived. */
  advance(): void {
    this.#check.advance();
  }

  /** Pieces were taken back, or are about to be. */
  reset(): void {
    this.#check.reset();
    this.#whole += 1;
    this.#contradicted = false;
  }

  /** Compares the whole and seals it; nobody is told that it is complete before a restart would say so too. */
  async compare(): Promise<void> {
    const { content, sync, story, isHeard, scheduleSync, onAgreed, fail, signal } = this.#options;
    const whole = this.#whole;
    try {
      const agrees = await this.#check.agrees();
      if (whole !== this.#whole) return;
      if (agrees) {
        await content.stored?.seal();
        if (whole === this.#whole) onAgreed();
        return;
      }
      story.contradicted();
      if (!isHeard()) return await this.refute();
      this.#contradicted = true;
      sync.mismatched([], []);
      scheduleSync();
    } catch (error) {
      if (!signal.aborted && whole === this.#whole) fail(toShoalError(error));
    }
  }

  /** Asks the scheduler once more to settle a contradiction, where it has not. */
  askAgain(): void {
    const { sync } = this.#options;
    if (this.#contradicted && !this.#sampling && !sync.hasNews) sync.mismatched([], []);
  }

  /** Reads pieces again from the source, and tells which of them agree. */
  async sample(samples: readonly number[]): Promise<void> {
    const { world, content, origin, sync, story, scheduleSync, signal } = this.#options;
    const request = origin.request();
    if (request === undefined || this.#sampling) return;
    this.#sampling = true;
    try {
      const { agreed, differed } = await readSamples(world.origin, request, content, samples, signal);
      sync.mismatched(agreed, differed);
    } catch (error) {
      story.samplesFailed(error);
    } finally {
      this.#sampling = false;
      scheduleSync();
    }
  }

  /** Nobody can settle the contradiction: nothing is kept. */
  async refute(): Promise<void> {
    const { content, fail } = this.#options;
    const message = `the source does not give content of ${content.digest}`;
    await content.discard();
    fail(new ShoalError('ERR_DIGEST_MISMATCH', message));
  }
}
