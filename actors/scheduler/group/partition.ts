import { type Actor, createActor } from 'xstate';
import { toShoalError } from '../../../core/errors.ts';
import {
  type PartitionEffects,
  type PartitionEvent,
  partitionMachine,
} from '../../../machines/scheduler/partition.ts';
import type { World } from '../../world.ts';
import { xstateClock } from '../../xstate-clock.ts';

/** One partition, as this scheduler sees it. */
export class PartitionActor {
  readonly #actor: Actor<typeof partitionMachine>;

  constructor({ clock, log }: Pick<World, 'clock' | 'log'>, partition: number, effects: PartitionEffects) {
    this.#actor = createActor(partitionMachine, { input: effects, clock: xstateClock(clock) });
    this.#actor.subscribe({
      error: (error) => log.error({ partition, err: toShoalError(error) }, 'partition actor crashed'),
    });
    this.#actor.start();
  }

  send(event: PartitionEvent): void {
    this.#actor.send(event);
  }

  /** Under which epoch it is owned; undefined where it is not. */
  get epoch(): number | undefined {
    return this.#actor.getSnapshot().context.epoch;
  }

  /** Whether it is not owned, and nothing is done about it. */
  get isLost(): boolean {
    return this.#actor.getSnapshot().value === 'lost';
  }

  /** Whether it is owned, and has been for long enough to be claimed anew. */
  get isSettled(): boolean {
    const snapshot = this.#actor.getSnapshot();
    return snapshot.matches({ owned: 'serving' }) || snapshot.matches({ owned: 'releasing' });
  }

  get isReleasing(): boolean {
    return this.#actor.getSnapshot().matches({ owned: 'releasing' });
  }

  stop(): void {
    this.#actor.stop();
  }
}
