import { type Actor, createActor } from 'xstate';
import { toShoalError, type WireError } from '../../../core/errors.ts';
import type { HostId, TaskId } from '../../../core/ids.ts';
import type { TaskState } from '../../../core/sync-messages.ts';
import { type TaskEffects, type TaskEvent, taskMachine } from '../../../machines/scheduler/task.ts';
import { xstateClock } from '../../xstate-clock.ts';
import type { SchedulerWorld } from '../world.ts';

/** Where one task is in its life: what happens is told to it, and what may be done is asked of it. */
export class TaskChart {
  readonly #actor: Actor<typeof taskMachine>;

  constructor({ clock, log }: SchedulerWorld, taskId: TaskId, effects: TaskEffects) {
    this.#actor = createActor(taskMachine, { input: effects, clock: xstateClock(clock) });
    this.#actor.subscribe({
      error: (error) => log.error({ taskId, err: toShoalError(error) }, 'task actor crashed'),
    });
    this.#actor.start();
  }

  /** Something happened. */
  send(event: TaskEvent): void {
    this.#actor.send(event);
  }

  /** The state in the words of the protocol: each has one as its tag. */
  get state(): TaskState {
    for (const tag of this.#actor.getSnapshot().tags) return tag as TaskState;
    return 'retired';
  }

  get ended(): boolean {
    return this.#actor.getSnapshot().status !== 'active';
  }

  /** Why it failed. */
  get error(): WireError | undefined {
    return this.#actor.getSnapshot().context.error;
  }

  /** Who was asked for the origin's first bytes, and still may answer in time. */
  get prober(): HostId | undefined {
    return this.#actor.getSnapshot().context.prober;
  }

  /** Whether a host reads pieces again, and still may answer in time. */
  get isSampling(): boolean {
    return this.#actor.getSnapshot().matches({ alive: { digest: { doubted: 'sampling' } } });
  }

  /** The pieces that a host is to read again. */
  samplesOf(hostId: HostId): readonly number[] | undefined {
    const { sampler } = this.#actor.getSnapshot().context;
    return sampler?.hostId === hostId ? sampler.pieces : undefined;
  }
}
