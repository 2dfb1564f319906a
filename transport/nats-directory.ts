import { z } from 'zod';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Directory, DirectoryEntry, Subscription } from './bus.ts';
import { checkSize } from './codec.ts';
import { checkKey, conflict } from './directory-key.ts';
import { type JetStreamApi, JS_ERROR, jsCode } from './jetstream-api.ts';
import { type DirectoryChange, watchBucket } from './nats-directory-watch.ts';
import { readLastRecords } from './nats-records.ts';
import { bucketConfig, type StreamConfig } from './streams.ts';

const storedSchema = z.object({
  message: z.object({ seq: z.int(), data: z.string().default(''), hdrs: z.string().default('') }),
});

/** A directory in a key-value bucket of JetStream. */
export class NatsDirectory implements Directory {
  readonly #api: JetStreamApi;
  readonly #stream: StreamConfig;
  readonly #prefix: string;
  readonly #watches: Set<Subscription>;
  readonly #logger: Logger;

  /** @param watches where open watches are kept, for whoever closes the connection. */
  constructor(api: JetStreamApi, swarm: string, bucket: string, watches: Set<Subscription>, logger: Logger) {
    this.#api = api;
    this.#stream = bucketConfig(swarm, bucket);
    this.#prefix = `$KV.${swarm}-${bucket}.`;
    this.#watches = watches;
    this.#logger = logger;
  }

  async get(key: string): Promise<DirectoryEntry | undefined> {
    const last = await this.#last(checkKey(key));
    return last?.value === undefined ? undefined : { key, value: last.value, revision: last.revision };
  }

  async put(key: string, value: Uint8Array, revision: number): Promise<number> {
    checkKey(key);
    checkSize(value);
    try {
      return await this.#write(key, value, revision, {});
    } catch (error) {
      if (!isConflict(error)) throw error;
      // An absent key may have a marker of its removal, which has a revision of its own.
      const last = revision === 0 ? await this.#last(key) : undefined;
      if (last === undefined || last.value !== undefined) throw error;
      return this.#write(key, value, last.revision, {});
    }
  }

  async remove(key: string, revision: number): Promise<void> {
    checkKey(key);
    if (revision === 0) {
      if ((await this.get(key)) !== undefined) throw conflict(key, revision);
      return;
    }
    await this.#write(key, new Uint8Array(), revision, { 'KV-Operation': 'DEL' });
  }

  async entries(): Promise<DirectoryEntry[]> {
    const records = await readLastRecords(this.#api, this.#stream, `${this.#prefix}>`);
    return records
      .filter(({ removed }) => !removed)
      .map(({ subject, bytes, sequence }) => ({
        key: subject.slice(this.#prefix.length),
        value: bytes,
        revision: sequence,
      }));
  }

  watch(listener: (change: DirectoryChange) => void): Subscription {
    const watching = watchBucket({
      api: this.#api,
      stream: this.#stream,
      prefix: this.#prefix,
      listener,
      logger: this.#logger,
    });
    this.#watches.add(watching);
    return {
      close: () => {
        this.#watches.delete(watching);
        watching.close();
      },
    };
  }

  async #write(
    key: string,
    value: Uint8Array,
    revision: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<number> {
    try {
      return await this.#api.on(this.#stream, () =>
        this.#api.publish(this.#prefix + key, value, {
          ...headers,
          'Nats-Expected-Last-Subject-Sequence': String(revision),
        }),
      );
    } catch (error) {
      if (jsCode(error) === JS_ERROR.wrongSequence) throw conflict(key, revision, error);
      throw error;
    }
  }

  async #last(key: string): Promise<{ value: Uint8Array | undefined; revision: number } | undefined> {
    try {
      const { message } = await this.#api.on(this.#stream, () =>
        this.#api.call(
          `STREAM.MSG.GET.${this.#stream.name}`,
          { last_by_subj: this.#prefix + key },
          storedSchema,
        ),
      );
      const removed = /^KV-Operation: *(?:DEL|PURGE)/m.test(Buffer.from(message.hdrs, 'base64').toString());
      const value = removed ? undefined : new Uint8Array(Buffer.from(message.data, 'base64'));
      return { value, revision: message.seq };
    } catch (error) {
      if (jsCode(error) === JS_ERROR.noMessage) return undefined;
      throw error;
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof ShoalError && error.code === 'ERR_BUS_CONFLICT';
}
