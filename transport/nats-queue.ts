import { AckPolicy, type JsMsg } from '@nats-io/jetstream';
import { toShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { onAbort } from '../core/on-abort.ts';
import type { Subscription } from './bus.ts';
import type { JetStream } from './jetstream.ts';
import { apiCode, isGone, isQueued } from './jetstream-errors.ts';
import type { NatsClient } from './nats-client.ts';
import type { StreamDeclaration } from './streams.ts';
import type { WorkHandler, WorkOptions } from './wire.ts';

/** All workers of a queue take from one consumer. */
const WORKERS = 'workers';
/** One question for work waits so long, ms. */
const EXPIRES_MS = 10_000;
const AGAIN_MS = 1_000;
/** How often a worker says that it is still at it, in parts of the time after which it is given up. */
const SAYS = 3;

/** Puts a message into a queue; false where one of its subject is in it. @throws as `JetStream.on` */
export function enqueue(
  jetstream: JetStream,
  stream: StreamDeclaration,
  subject: string,
  bytes: Uint8Array,
): Promise<boolean> {
  return jetstream.on(stream, async (js) => {
    try {
      await js.publish(subject, bytes);
      return true;
    } catch (error) {
      if (isQueued(error)) return false;
      throw error;
    }
  });
}

interface Working {
  readonly client: NatsClient;
  readonly jetstream: JetStream;
  readonly logger: Logger;
  readonly stream: StreamDeclaration;
  readonly options: WorkOptions;
  readonly handler: WorkHandler;
}

/** A worker of a queue, across lost connections. */
export function workQueue(parts: Working): Subscription {
  const { client, jetstream, logger, stream, options, handler } = parts;
  const { ackMs, atOnce } = options;
  const closing = new AbortController();
  let running = 0;
  let wake: () => void = () => undefined;

  async function loop(): Promise<void> {
    while (!closing.signal.aborted) {
      if (running >= atOnce || client.state !== 'connected') {
        await woken();
        continue;
      }
      try {
        const message = await next();
        if (message === undefined) continue;
        if (closing.signal.aborted) tell(() => message.nak());
        else void run(message);
      } catch (error) {
        if (closing.signal.aborted) return;
        logger.debug({ code: toShoalError(error).code }, 'a work queue cannot be asked, trying on');
        await woken(AGAIN_MS);
      }
    }
  }

  /** Until something may have changed. */
  function woken(afterMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = afterMs === undefined ? undefined : setTimeout(resolve, afterMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function next(): Promise<JsMsg | undefined> {
    return jetstream.on(stream, async (js, dropped) => {
      const { consumers } = await js.jetstreamManager(false);
      const terms = { ack_wait: ackMs * 1e6, max_deliver: -1 };
      // The same again changes nothing; what another version made is brought in step.
      await consumers
        .add(stream.name, { durable_name: WORKERS, ack_policy: AckPolicy.Explicit, ...terms })
        .catch((error: unknown) => {
          if (apiCode(error) === undefined || isGone(error)) throw error;
          return consumers.update(stream.name, WORKERS, terms);
        });
      const consumer = await js.consumers.get(stream.name, WORKERS);
      const asked = await consumer.fetch({ max_messages: 1, expires: EXPIRES_MS });
      const stop = () => void asked.close().catch(() => undefined);
      // Whoever was closed meanwhile must not take what it will not do.
      if (dropped.aborted || closing.signal.aborted) stop();
      const unlisten = [onAbort(dropped, stop), onAbort(closing.signal, stop)];
      try {
        for await (const message of asked) return message;
        return undefined;
      } finally {
        for (const each of unlisten) each();
      }
    });
  }

  async function run(message: JsMsg): Promise<void> {
    running += 1;
    const saying = setInterval(() => tell(() => message.working()), ackMs / SAYS);
    try {
      await handler({ subject: message.subject, bytes: message.data });
      tell(() => message.ack());
    } catch {
      tell(() => message.nak(AGAIN_MS));
    } finally {
      clearInterval(saying);
      running -= 1;
      wake();
    }
  }

  /** What is not told is told by silence: the message comes again. */
  function tell(say: () => void): void {
    try {
      say();
    } catch (error) {
      logger.debug({ code: toShoalError(error).code }, 'the queue cannot be told of its work');
    }
  }

  const states = client.onState(() => wake());
  void loop();
  return {
    close: () => {
      closing.abort();
      states.close();
      wake();
    },
  };
}
