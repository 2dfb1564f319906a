import { toShoalError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { ReadElsewhere } from './read-elsewhere.ts';

const RESTARTS = 2;

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
  #restarts = 0;

  constructor(log: Logger) {
    this.#log = log;
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
