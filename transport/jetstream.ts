import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { QueuedIterator } from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Logger } from '../core/logger.ts';
import { onAbort } from '../core/on-abort.ts';
import { apiCode, isGone, isLate, isMadeByAnother, translated } from './jetstream-errors.ts';
import type { NatsClient } from './nats-client.ts';
import { drifted, type StreamDeclaration } from './streams.ts';

/**
 * Waits before the next try on a stream that is gone, ms. The first is for one that somebody removed; the others for
 * one that another client is making: the server says that it is there before it listens to what is appended, or that
 * its subjects are taken before it says that it is there.
 */
const AGAIN_MS = [0, 20, 100, 400];

/** Times that something about a stream is asked. */
const ASKS = 5;

/** What is done with JetStream; `dropped` aborts when the connection is lost, and nobody waits any more. */
export type JetStreamUse<R> = (js: JetStreamClient, dropped: AbortSignal) => Promise<R>;

/** JetStream over a connection that comes and goes, on streams that are made where they are missing. */
export class JetStream {
  readonly #client: NatsClient;
  readonly #logger: Logger;
  readonly #ensured = new Map<string, Promise<void>>();
  #warned = false;

  constructor(client: NatsClient, logger: Logger) {
    this.#client = client;
    this.#logger = logger;
    client.onState((state) => {
      // A server that comes back may have lost its store.
      if (state !== 'connected') this.#ensured.clear();
    });
  }

  /**
   * Runs an operation on a stream that is there, and again where it turns out to be gone.
   * @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT, ERR_BUS_DENIED, ERR_BUS_MESSAGE_TOO_LARGE, and the ShoalErrors of `run`
   */
  async on<R>(stream: StreamDeclaration, run: JetStreamUse<R>): Promise<R> {
    for (let tries = 0; ; tries += 1) {
      let ensured = false;
      try {
        await this.#ensure(stream);
        ensured = true;
        return await this.#use(run);
      } catch (error) {
        if (isGone(error) || isLate(error)) this.#ensured.delete(stream.name);
        const waitMs = (ensured && isGone(error)) || isMadeByAnother(error) ? AGAIN_MS[tries] : undefined;
        if (waitMs === undefined) {
          if (isGone(error)) this.#warn();
          throw translated(error);
        }
        await delay(waitMs);
      }
    }
  }

  #use<R>(run: JetStreamUse<R>, timeout: number = LIMITS.busStoreMs): Promise<R> {
    return this.#client.use((connection, dropped) => run(jetstream(connection, { timeout }), dropped));
  }

  /** Makes the stream, or brings it in step with its declaration; once a connection. */
  #ensure(stream: StreamDeclaration): Promise<void> {
    let ensured = this.#ensured.get(stream.name);
    if (ensured === undefined) {
      ensured = this.#use((js) => this.#declare(js, stream), LIMITS.busStoreMs / ASKS);
      this.#ensured.set(stream.name, ensured);
      ensured.catch(() => {
        if (this.#ensured.get(stream.name) === ensured) this.#ensured.delete(stream.name);
      });
    }
    return ensured;
  }

  async #declare(js: JetStreamClient, stream: StreamDeclaration): Promise<void> {
    const { streams } = await js.jetstreamManager(false);
    const actual = await asked(() => streams.info(stream.name)).catch((error: unknown) => {
      if (apiCode(error) === undefined || !isGone(error)) throw error;
      // Whoever declares the same at the same time is answered the same.
      return asked(() => streams.add({ ...stream }));
    });
    if (!drifted(stream, actual.config)) return;
    try {
      await asked(() => streams.update(stream.name, stream));
      this.#logger.info({ stream: stream.name }, 'stream brought in step with its declaration');
    } catch (error) {
      if (apiCode(error) === undefined) throw error;
      this.#logger.warn(
        { err: error, stream: stream.name },
        'stream differs from its declaration, used as it is',
      );
    }
  }

  #warn(): void {
    if (!this.#warned) this.#logger.warn({}, 'this nats-server has no jetstream: no task log, no directory');
    this.#warned = true;
  }
}

/** Asks again what is not answered: nats-server 2.9 loses requests that come while another client makes the stream. */
async function asked<R>(ask: () => Promise<R>): Promise<R> {
  for (let left = ASKS - 1; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isLate(error) || left === 0) throw error;
    }
  }
}

/** What an iterator of the NATS packages yields, which ends neither when the connection drops nor in bounded time. @throws ERR_BUS_TIMEOUT */
export async function* within<T>(messages: QueuedIterator<T>, dropped: AbortSignal): AsyncGenerator<T> {
  const stop = () => messages.stop(new ShoalError('ERR_BUS_TIMEOUT', 'JetStream did not answer in time'));
  const timer = setTimeout(stop, LIMITS.busStoreMs);
  const unlisten = onAbort(dropped, stop);
  if (dropped.aborted) stop();
  try {
    yield* messages;
  } finally {
    clearTimeout(timer);
    unlisten();
  }
}
