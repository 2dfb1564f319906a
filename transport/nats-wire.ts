import type { Msg } from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { BusState, Directory, Subscription } from './bus.ts';
import type { BusCounters } from './counters.ts';
import { JetStream } from './jetstream.ts';
import { NatsClient, type NatsDoors, nobody } from './nats-client.ts';
import { NatsDirectory } from './nats-directory.ts';
import { readLastRecords } from './nats-log.ts';
import type { NatsTarget } from './nats-options.ts';
import { enqueue, workQueue } from './nats-queue.ts';
import { isQueue, isStream, queueConfig, type StreamDeclaration, streamConfig } from './streams.ts';
import type { Wire, WireAnswer, WireMessage, WireRecord, WorkHandler, WorkOptions } from './wire.ts';

const ERROR_TEXT = 'Nats-Service-Error';
const ERROR_CODE = 'Nats-Service-Error-Code';

/** What a wire over NATS is made of. */
interface NatsWireParts {
  readonly target: NatsTarget;
  readonly swarm: string;
  readonly counters: BusCounters;
  readonly logger: Logger;
  readonly doors?: NatsDoors;
  /** How many servers of NATS are to keep what is kept; absent: as many as are sensible. */
  readonly replicas?: number | undefined;
}

/** A wire over NATS and its JetStream. */
export class NatsWire implements Wire {
  readonly #client: NatsClient;
  readonly #jetstream: JetStream;
  readonly #swarm: string;
  readonly #logger: Logger;
  readonly #watches = new Set<Subscription>();

  /** @throws ERR_CONFIG_INVALID */
  constructor(parts: NatsWireParts) {
    this.#client = new NatsClient(parts.target, parts.counters, parts.logger, parts.doors);
    this.#jetstream = new JetStream(this.#client, parts);
    this.#swarm = parts.swarm;
    this.#logger = parts.logger;
  }

  get state(): BusState {
    return this.#client.state;
  }

  onState(listener: (state: BusState) => void): Subscription {
    return this.#client.onState(listener);
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    return this.#client.publish(subject, bytes);
  }

  async request(
    subject: string,
    bytes: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<WireAnswer> {
    return answerOf(await this.#client.request(subject, bytes, options));
  }

  async gather(
    subject: string,
    bytes: Uint8Array,
    waitMs: number,
    most = Number.POSITIVE_INFINITY,
  ): Promise<WireAnswer[]> {
    const answers: WireAnswer[] = [];
    return this.#client.replies.wait<WireAnswer[]>({
      subject,
      timeoutMs: waitMs,
      send: (reply) => this.#client.ask(subject, bytes, reply),
      take: (message) => {
        if (nobody(message)) return answers;
        return answers.push(answerOf(message)) >= most ? answers : undefined;
      },
      late: () => answers,
    });
  }

  listen(pattern: string, queue: string | undefined, handler: (message: WireMessage) => void): Subscription {
    return this.#client.listen(pattern, queue, (message) => {
      const { reply } = message;
      handler({
        subject: message.subject,
        bytes: message.data,
        ...(reply === undefined || reply === ''
          ? {}
          : { reply, respond: (answer: WireAnswer) => this.#respond(reply, answer) }),
      });
    });
  }

  async append(stream: string, subject: string, bytes: Uint8Array): Promise<void> {
    await this.#jetstream.on(this.#stream(stream), (js) => js.publish(subject, bytes));
  }

  async readLast(stream: string, pattern: string): Promise<WireRecord[]> {
    return readLastRecords(this.#jetstream, this.#stream(stream), pattern);
  }

  async enqueue(stream: string, subject: string, bytes: Uint8Array): Promise<boolean> {
    return enqueue(this.#jetstream, this.#queue(stream), subject, bytes);
  }

  work(stream: string, options: WorkOptions, handler: WorkHandler): Subscription {
    const { client, jetstream, logger } = {
      client: this.#client,
      jetstream: this.#jetstream,
      logger: this.#logger,
    };
    const working = workQueue({ client, jetstream, logger, stream: this.#queue(stream), options, handler });
    this.#watches.add(working);
    return {
      close: () => {
        this.#watches.delete(working);
        working.close();
      },
    };
  }

  directory(bucket: string): Directory {
    const parts = {
      jetstream: this.#jetstream,
      client: this.#client,
      swarm: this.#swarm,
      watches: this.#watches,
      logger: this.#logger,
    };
    return new NatsDirectory(parts, bucket);
  }

  /** The server answers a PING behind all that it has sent before. */
  echo(): Promise<void> {
    return this.#client.use((connection) => connection.flush());
  }

  async close(): Promise<void> {
    for (const watching of this.#watches) watching.close();
    await this.#client.close();
  }

  #stream(name: string): StreamDeclaration {
    if (isStream(name)) return streamConfig(this.#swarm, name);
    throw new ShoalError('ERR_INTERNAL', `no stream is called ${name}`);
  }

  #queue(name: string): StreamDeclaration {
    if (isQueue(name)) return queueConfig(this.#swarm, name);
    throw new ShoalError('ERR_INTERNAL', `no queue is called ${name}`);
  }

  #respond(reply: string, answer: WireAnswer): void {
    const { fault } = answer;
    const headers =
      fault === undefined
        ? {}
        : { headers: { [ERROR_CODE]: String(fault.status), [ERROR_TEXT]: fault.text } };
    try {
      this.#client.publish(reply, answer.bytes, headers);
    } catch (error) {
      this.#logger.error({ err: error }, 'a reply cannot be sent');
    }
  }
}

function answerOf(message: Msg): WireAnswer {
  const status = message.headers?.get(ERROR_CODE) ?? '';
  if (status === '') return { bytes: message.data };
  return {
    bytes: message.data,
    fault: { status: Number(status), text: message.headers?.get(ERROR_TEXT) ?? '' },
  };
}
