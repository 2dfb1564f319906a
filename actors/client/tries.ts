import { type Random, randomInt } from '../../core/clock.ts';
import { toShoalError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { ReadElsewhere } from './read-elsewhere.ts';

const RESTARTS = 3;
/** A validator that changes so often within one request is no new version, but one of back ends that disagree. */
const DISAGREES_AFTER = 2;

/**
 * One request's tries: it starts over where the origin's content changed, or its one stream broke off, and where the
 * content of its digest was read elsewhere than it names.
 */
export class Tries {
  /** What was tried last. */
  taskId: TaskId | undefined;
  /** The content is to be read where the request says, and nowhere else. */
  isApart = false;
  readonly #log: Logger;
  readonly #random: Random;
  #first: number | undefined;
  #restarts = 0;

  constructor({ log, random }: { readonly log: Logger; readonly random: Random }) {
    this.#log = log;
    this.#random = random;
  }

  /** Whether one host is to read all of it in a single stream. */
  get whole(): boolean {
    return this.#restarts >= DISAGREES_AFTER;
  }

  /** Names the question where the content is; one stream that was asked for after this request came will do for it. */
  ask(): number {
    const asked = this.whole ? this.#first : undefined;
    const ask = asked ?? randomInt(this.#random, 2 ** 48);
    this.#first ??= ask;
    return ask;
  }

  /** Whether to start over after this error. */
  again(thrown: unknown): boolean {
    const error = toShoalError(thrown);
    if (error instanceof ReadElsewhere && !this.isApart) {
      this.isApart = true;
      this.#log.debug({ taskId: this.taskId }, error.message);
      return true;
    }
    if (error.code !== 'ERR_TASK_CHANGED' || this.#restarts === RESTARTS) return false;
    this.#restarts += 1;
    this.#log.info({ taskId: this.taskId }, `${error.message}; starting over`);
    return true;
  }
}
