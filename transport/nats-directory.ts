import { type KV, Kvm } from '@nats-io/kv';
import type { Logger } from '../core/logger.ts';
import type { Directory, DirectoryEntry, Subscription } from './bus.ts';
import { checkSize } from './codec.ts';
import { checkKey, keyConflict } from './directory-key.ts';
import { type JetStream, within } from './jetstream.ts';
import { isWrongSequence } from './jetstream-errors.ts';
import type { NatsClient } from './nats-client.ts';
import { type DirectoryChange, watchDirectory } from './nats-directory-watch.ts';
import { bucketConfig, bucketName, type StreamDeclaration } from './streams.ts';

/** What the directories of one connection share; `watches` holds those that are open, for whoever closes it. */
interface NatsDirectoryParts {
  readonly jetstream: JetStream;
  readonly client: NatsClient;
  readonly swarm: string;
  readonly watches: Set<Subscription>;
  readonly logger: Logger;
}

/** A directory in a key-value bucket of JetStream. */
export class NatsDirectory implements Directory {
  readonly #parts: NatsDirectoryParts;
  readonly #stream: StreamDeclaration;
  readonly #bucket: string;

  constructor(parts: NatsDirectoryParts, bucket: string) {
    this.#parts = parts;
    this.#stream = bucketConfig(parts.swarm, bucket);
    this.#bucket = bucketName(parts.swarm, bucket);
  }

  async get(key: string): Promise<DirectoryEntry | undefined> {
    checkKey(key);
    const entry = await this.#on((kv) => kv.get(key));
    if (entry?.operation !== 'PUT') return undefined;
    return { key, value: entry.value, revision: entry.revision };
  }

  async put(key: string, value: Uint8Array, revision: number): Promise<number> {
    checkKey(key);
    checkSize(value);
    return this.#set(key, revision, (kv) =>
      revision === 0 ? kv.create(key, value) : kv.update(key, value, revision),
    );
  }

  async remove(key: string, revision: number): Promise<void> {
    checkKey(key);
    if (revision !== 0) return this.#set(key, revision, (kv) => kv.delete(key, { previousSeq: revision }));
    if ((await this.get(key)) !== undefined) throw keyConflict(key, revision);
  }

  async entries(): Promise<DirectoryEntry[]> {
    return this.#on(async (kv, dropped) => {
      const entries = new Map<string, DirectoryEntry>();
      for await (const { key, value, revision, operation } of within(await kv.history(), dropped)) {
        entries.delete(key);
        if (operation === 'PUT') entries.set(key, { key, value, revision });
      }
      return [...entries.values()];
    });
  }

  watch(listener: (change: DirectoryChange) => void): Subscription {
    const { client, watches, logger } = this.#parts;
    const watching = watchDirectory({
      follow: () =>
        this.#on(async (kv, dropped) => {
          const { values } = await kv.status();
          const changes = await kv.watch();
          if (dropped.aborted) changes.stop();
          return { changes, empty: values === 0 };
        }),
      onState: (heard) => client.onState(heard),
      listener,
      logger,
    });
    watches.add(watching);
    return {
      close: () => {
        watches.delete(watching);
        watching.close();
      },
    };
  }

  #on<R>(run: (kv: KV, dropped: AbortSignal) => Promise<R>): Promise<R> {
    return this.#parts.jetstream.on(this.#stream, async (js, dropped) =>
      // Not from a replica, which may be behind.
      run(await new Kvm(js).open(this.#bucket, { allow_direct: false }), dropped),
    );
  }

  #set<R>(key: string, revision: number, run: (kv: KV) => Promise<R>): Promise<R> {
    return this.#on(async (kv) => {
      try {
        return await run(kv);
      } catch (error) {
        throw isWrongSequence(error) ? keyConflict(key, revision, error) : error;
      }
    });
  }
}
