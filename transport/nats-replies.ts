import type { Msg } from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { onAbort } from '../core/on-abort.ts';
import { cancelled, unavailable } from './unavailable.ts';

/** One thing that waits for messages on a reply subject. */
interface Waiting {
  readonly subject: string;
  readonly take: (message: Msg) => void;
  readonly fail: (error: ShoalError) => void;
}

/** Who waits for a reply, by the last token of its subject; all of them end when the connection drops. */
export class NatsReplies {
  readonly prefix: string;
  readonly #waiting = new Map<string, Waiting>();
  #next = 0;

  /** @param prefix everything of the reply subjects but their last token. */
  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** Takes every message until closed; `subject` is what a refusal of permission would name. */
  open(subject: string, take: Waiting['take'], fail: Waiting['fail']): { reply: string; close: () => void } {
    this.#next += 1;
    const token = this.#next.toString(36);
    this.#waiting.set(token, { subject, take, fail });
    return { reply: `${this.prefix}.${token}`, close: () => this.#waiting.delete(token) };
  }

  /** Waits until `take` answers something. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_DENIED, ERR_CANCELLED, `late()` */
  wait<R>(options: {
    readonly subject: string;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal | undefined;
    readonly send: (reply: string) => void;
    /** A result, an error to reject with, or undefined to go on waiting. */
    readonly take: (message: Msg) => R | ShoalError | undefined;
    /** What the end of the time means. */
    readonly late: () => R | ShoalError;
  }): Promise<R> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(cancelled(signal));
    return new Promise<R>((resolve, reject) => {
      const end = (outcome: R | ShoalError) => {
        clearTimeout(timer);
        unlisten();
        waiting.close();
        if (outcome instanceof ShoalError) reject(outcome);
        else resolve(outcome);
      };
      const take = (message: Msg) => {
        const outcome = options.take(message);
        if (outcome !== undefined) end(outcome);
      };
      const waiting = this.open(options.subject, take, end);
      const timer = setTimeout(() => end(options.late()), options.timeoutMs);
      const unlisten = onAbort(signal, () => end(cancelled(signal)));
      try {
        options.send(waiting.reply);
      } catch (cause) {
        end(cause instanceof ShoalError ? cause : unavailable(cause));
      }
    });
  }

  /** Hands an arriving message to whoever waits for it. */
  dispatch(message: Msg): void {
    this.#waiting.get(message.subject.slice(this.prefix.length + 1))?.take(message);
  }

  /** Fails what waits for an answer on `subject`, or everything. */
  failAll(error: ShoalError, subject?: string): void {
    for (const waiting of [...this.#waiting.values()]) {
      if (subject === undefined || waiting.subject === subject) waiting.fail(error);
    }
  }
}
