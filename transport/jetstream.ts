import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { NatsConnection, QueuedIterator } from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Logger } from '../core/logger.ts';
import { onAbort } from '../core/on-abort.ts';
import { ASKS, declareStream } from './declare-stream.ts';
import { isGone, isLate, isMadeByAnother, isRefused, translated } from './jetstream-errors.ts';
import type { NatsClient } from './nats-client.ts';
import type { StreamDeclaration } from './streams.ts';

/**
 * Waits before the next try on a stream that is gone, ms. The first is for one that somebody removed; the others for
 * one that another client is making: the server says that it is there before it listens to what is appended, or that
 * its subjects are taken before it says that it is there.
 */
const AGAIN_MS = [0, 20, 100, 400];

/** Servers that keep a stream of a cluster, unless a setting says otherwise: one may die. */
const CLUSTER_REPLICAS = 3;
/** Between two tries to have a stream kept by more servers. */
const MORE_REPLICAS_MS = 10_000;

/** What is done with JetStream; `dropped` aborts when the connection is lost, and nobody waits any more. */
export type JetStreamUse<R> = (
  js: JetStreamClient,
  dropped: AbortSignal,
  connection: NatsConnection,
) => Promise<R>;

interface JetStreamOptions {
  readonly logger: Logger;
  /** How many servers are to keep each stream; absent: as many as are sensible. */
  readonly replicas?: number | undefined;
}

/** JetStream over a connection that comes and goes, on streams that are made where they are missing. */
export class JetStream {
  readonly #client: NatsClient;
  readonly #logger: Logger;
  readonly #replicas: number | undefined;
  readonly #ensured = new Map<string, Promise<void>>();
  /** Streams that fewer servers keep than should, and when that is tried again. */
  readonly #thin = new Map<string, { readonly stream: StreamDeclaration; readonly dueMs: number }>();
  /** Streams in which nothing could be kept the last time. */
  readonly #unkept = new Set<string>();

  constructor(client: NatsClient, { logger, replicas }: JetStreamOptions) {
    this.#client = client;
    this.#logger = logger;
    this.#replicas = replicas;
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
    this.#thicken();
    for (let tries = 0; ; tries += 1) {
      let ensured = false;
      try {
        await this.#ensure(stream);
        ensured = true;
        const result = await this.#use(run);
        this.#unkept.delete(stream.name);
        return result;
      } catch (error) {
        if (isGone(error) || isLate(error)) this.#ensured.delete(stream.name);
        const waitMs = (ensured && isGone(error)) || isMadeByAnother(error) ? AGAIN_MS[tries] : undefined;
        if (waitMs === undefined) {
          if (isGone(error) || isRefused(error)) this.#warn(stream, error);
          throw translated(error);
        }
        await delay(waitMs);
      }
    }
  }

  #use<R>(run: JetStreamUse<R>, timeout: number = LIMITS.busStoreMs): Promise<R> {
    return this.#client.use((connection, dropped) =>
      run(jetstream(connection, { timeout }), dropped, connection),
    );
  }

  /** Makes the stream, or brings it in step with its declaration; once a connection. */
  #ensure(stream: StreamDeclaration): Promise<void> {
    let ensured = this.#ensured.get(stream.name);
    if (ensured === undefined) {
      ensured = this.#declare(stream);
      this.#ensured.set(stream.name, ensured);
      ensured.catch(() => {
        if (this.#ensured.get(stream.name) === ensured) this.#ensured.delete(stream.name);
      });
    }
    return ensured;
  }

  async #declare(stream: StreamDeclaration): Promise<void> {
    const { name } = stream;
    let replicas = 1;
    const kept = await this.#use(async (js, _, { info }) => {
      const isCluster = info?.cluster !== undefined;
      replicas = this.#replicas ?? (isCluster ? CLUSTER_REPLICAS : 1);
      const { streams } = await js.jetstreamManager(false);
      // A server by itself may say yes to any number.
      return declareStream({ streams, stream, replicas: isCluster ? replicas : 1, logger: this.#logger });
    }, LIMITS.busStoreMs / ASKS);
    if (kept >= replicas) return void this.#thin.delete(name);
    if (!this.#thin.has(name)) {
      this.#logger.warn({ stream: name, kept, replicas }, 'fewer servers of nats keep a stream than should');
    }
    this.#thin.set(name, { stream, dueMs: performance.now() + MORE_REPLICAS_MS });
  }

  /** Tries again to have streams kept by more servers: a cluster that grew says so to nobody. */
  #thicken(): void {
    const nowMs = performance.now();
    for (const [name, { stream, dueMs }] of this.#thin) {
      if (nowMs < dueMs) continue;
      this.#thin.set(name, { stream, dueMs: nowMs + MORE_REPLICAS_MS });
      this.#declare(stream).catch((err: unknown) =>
        this.#logger.debug({ err, stream: name }, 'a stream cannot be declared now'),
      );
    }
  }

  /** Once, until it works again. */
  #warn({ name }: StreamDeclaration, error: unknown): void {
    if (this.#unkept.has(name)) return;
    this.#unkept.add(name);
    const { message } = translated(error);
    this.#logger.warn({ stream: name, why: message }, 'jetstream does not keep this now; going on without');
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
