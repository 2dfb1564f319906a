import { z } from 'zod';
import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Logger } from '../core/logger.ts';
import type { Headers, NatsClient } from './nats-client.ts';
import { drifted, type StreamConfig } from './streams.ts';

/** Error codes of the JetStream API that are told apart. */
export const JS_ERROR = {
  noMessage: 10037,
  notEnabledForAccount: 10039,
  nameInUse: 10058,
  streamNotFound: 10059,
  wrongSequence: 10071,
  notEnabled: 10076,
} as const;

const answerSchema = z.looseObject({
  error: z
    .object({ code: z.int(), err_code: z.int().default(0), description: z.string().default('') })
    .optional(),
});
const configSchema = z.object({ config: z.record(z.string(), z.unknown()) });
const ackSchema = z.object({ seq: z.int() });

/** JetStream by its JSON API over plain requests, so that what is in flight ends when the connection drops. */
export class JetStreamApi {
  readonly client: NatsClient;
  readonly #logger: Logger;
  readonly #ensured = new Map<string, Promise<void>>();
  #warned = false;

  constructor(client: NatsClient, logger: Logger) {
    this.client = client;
    this.#logger = logger;
    client.onState((state) => {
      // A server that comes back may have lost its store.
      if (state !== 'connected') this.#ensured.clear();
    });
  }

  /** @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT, ERR_BUS_DENIED; `details.jsCode` is the API's own */
  async call<R>(verb: string, body: unknown, schema: z.ZodType<R>): Promise<R> {
    const bytes = body === undefined ? new Uint8Array() : new TextEncoder().encode(JSON.stringify(body));
    return this.#ask(`$JS.API.${verb}`, bytes, {}, schema);
  }

  /** Publishes into a stream and returns the sequence it got. @throws as `call`; ERR_BUS_NO_RESPONDERS where no stream takes it */
  async publish(subject: string, bytes: Uint8Array, headers: Headers = {}): Promise<number> {
    return (await this.#ask(subject, bytes, headers, ackSchema)).seq;
  }

  /** Runs an operation on a stream that is there, and once more where it turns out to be gone. */
  async on<R>(stream: StreamConfig, run: () => Promise<R>): Promise<R> {
    await this.ensure(stream);
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error;
      const gone = error.code === 'ERR_BUS_NO_RESPONDERS' || jsCode(error) === JS_ERROR.streamNotFound;
      if (gone || error.code === 'ERR_BUS_TIMEOUT') this.#ensured.delete(stream.name);
      if (!gone) throw error;
    }
    await this.ensure(stream);
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof ShoalError) || error.code !== 'ERR_BUS_NO_RESPONDERS') throw error;
      throw new ShoalError('ERR_BUS_UNAVAILABLE', `no stream takes messages of ${stream.name}`, {
        cause: error,
      });
    }
  }

  /** Makes the stream, or brings it in step with its declaration; once a connection. */
  ensure(stream: StreamConfig): Promise<void> {
    let ensured = this.#ensured.get(stream.name);
    if (ensured === undefined) {
      ensured = this.#ensure(stream);
      this.#ensured.set(stream.name, ensured);
      ensured.catch(() => {
        if (this.#ensured.get(stream.name) === ensured) this.#ensured.delete(stream.name);
      });
    }
    return ensured;
  }

  async #ensure(stream: StreamConfig): Promise<void> {
    let actual = await this.#config(stream.name);
    if (actual === undefined) {
      try {
        await this.call(`STREAM.CREATE.${stream.name}`, { ...stream, num_replicas: 1 }, z.unknown());
        return;
      } catch (error) {
        if (jsCode(error) !== JS_ERROR.nameInUse) throw error;
        actual = await this.#config(stream.name);
      }
    }
    if (actual === undefined || !drifted(stream, actual)) return;
    try {
      await this.call(`STREAM.UPDATE.${stream.name}`, { ...actual, ...stream }, z.unknown());
      this.#logger.info({ stream: stream.name }, 'stream brought in step with its declaration');
    } catch (error) {
      if (jsCode(error) === undefined) throw error;
      this.#logger.warn(
        { err: error, stream: stream.name },
        'stream differs from its declaration, used as it is',
      );
    }
  }

  async #config(name: string): Promise<Record<string, unknown> | undefined> {
    try {
      return (await this.call(`STREAM.INFO.${name}`, undefined, configSchema)).config;
    } catch (error) {
      if (jsCode(error) === JS_ERROR.streamNotFound) return undefined;
      throw error;
    }
  }

  async #ask<R>(subject: string, bytes: Uint8Array, headers: Headers, schema: z.ZodType<R>): Promise<R> {
    const api = subject.startsWith('$JS.API.');
    let text: string;
    try {
      const answer = await this.client.request(subject, bytes, {
        timeoutMs: LIMITS.busStoreMs,
        ...(Object.keys(headers).length === 0 ? {} : { headers }),
      });
      text = answer.string();
    } catch (error) {
      if (api && error instanceof ShoalError && error.code === 'ERR_BUS_NO_RESPONDERS')
        throw this.#disabled(error);
      throw error;
    }
    const answer = parse(answerSchema, text);
    const failed = answer?.error;
    if (failed !== undefined) {
      if (failed.err_code === JS_ERROR.notEnabled || failed.err_code === JS_ERROR.notEnabledForAccount) {
        throw this.#disabled(undefined);
      }
      throw new ShoalError('ERR_BUS_UNAVAILABLE', `JetStream refused: ${failed.description}`, {
        details: { jsCode: failed.err_code },
      });
    }
    const result = answer === undefined ? undefined : schema.safeParse(answer);
    if (result?.success) return result.data;
    throw new ShoalError('ERR_BUS_UNAVAILABLE', `JetStream answered something else on ${subject}`);
  }

  #disabled(cause: unknown): ShoalError {
    if (!this.#warned) this.#logger.warn({}, 'this nats-server has no jetstream: no task log, no directory');
    this.#warned = true;
    return new ShoalError('ERR_BUS_UNAVAILABLE', 'JetStream is not enabled on the NATS server', { cause });
  }
}

/** The JetStream API's own code of an error, where it has one. */
export function jsCode(error: unknown): number | undefined {
  const { jsCode: code } = error instanceof ShoalError ? error.details : {};
  return typeof code === 'number' ? code : undefined;
}

function parse<R>(schema: z.ZodType<R>, text: string): R | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
