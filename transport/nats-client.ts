import { randomBytes } from 'node:crypto';
import {
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription as NatsSubscription,
} from '@nats-io/transport-node';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { BusState, Subscription } from './bus.ts';
import type { BusCounters } from './counters.ts';
import { inboxPrefix } from './inbox.ts';
import { NatsLink } from './nats-link.ts';
import { connectionOptions, type NatsTarget, senderAt } from './nats-options.ts';
import { NatsReplies } from './nats-replies.ts';
import { unavailable } from './unavailable.ts';

interface Listening {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly handler: (message: Msg) => void;
  current: NatsSubscription | undefined;
}

/** Whom a client tells how the server's door is. */
export interface NatsDoors {
  /** The server takes anybody, without a login or a certificate. Called at every connection. */
  readonly onOpen?: (() => void) | undefined;
  /** The server refuses this client's login; it is tried again and again. */
  readonly onRefused?: ((error: Error) => void) | undefined;
}

/** Headers of one message, by name. */
type Headers = Readonly<Record<string, string>>;

/** Plain messages and requests over a connection that comes and goes; subscriptions stay. */
export class NatsClient {
  readonly replies: NatsReplies;
  readonly #counters: BusCounters;
  readonly #logger: Logger;
  readonly #link: NatsLink;
  readonly #doors: NatsDoors;
  readonly #listening = new Set<Listening>();
  readonly #states = new Set<(state: BusState) => void>();
  readonly #refusals = new Map<string, number>();
  readonly #owner = new WeakMap<NatsSubscription, NatsConnection>();
  #connection: NatsConnection | undefined;
  #state: BusState = 'disconnected';
  /** Why no answer can come, where the login may not subscribe to its own inbox. */
  #deaf: ShoalError | undefined;

  /** @throws ERR_CONFIG_INVALID */
  constructor(target: NatsTarget, counters: BusCounters, logger: Logger, doors: NatsDoors = {}) {
    this.#counters = counters;
    this.#doors = doors;
    this.#logger = logger;
    this.replies = new NatsReplies(`${inboxPrefix(senderAt(target))}.${randomBytes(9).toString('hex')}`);
    this.listen(`${this.replies.prefix}.*`, undefined, (message) => this.replies.dispatch(message));
    const options = connectionOptions(target);
    this.#link = new NatsLink(
      options,
      {
        attach: (connection) => this.#attach(connection),
        up: () => this.#setState('connected'),
        down: () => this.#down(),
        denied: (operation, subject, error) => this.#denied(operation, subject, error),
        refused: (error) => this.#doors.onRefused?.(error),
      },
      logger,
    );
  }

  get state(): BusState {
    return this.#state;
  }

  onState(listener: (state: BusState) => void): Subscription {
    this.#states.add(listener);
    return { close: () => this.#states.delete(listener) };
  }

  /** False, and nothing is sent, while disconnected. @throws ERR_BUS_MESSAGE_TOO_LARGE (the server's own limit) */
  publish(subject: string, bytes: Uint8Array, extra: { reply?: string; headers?: Headers } = {}): boolean {
    if (this.#state !== 'connected' || this.#connection === undefined) return false;
    try {
      this.#connection.publish(subject, bytes, {
        ...(extra.reply === undefined ? {} : { reply: extra.reply }),
        ...(extra.headers === undefined ? {} : { headers: headersOf(extra.headers) }),
      });
      return true;
    } catch (cause) {
      const limit = this.#connection.info?.max_payload;
      if (limit === undefined || bytes.length + 1024 < limit) return false;
      throw new ShoalError(
        'ERR_BUS_MESSAGE_TOO_LARGE',
        `a message of ${bytes.length} bytes is beyond the server's max_payload of ${limit}`,
        { cause },
      );
    }
  }

  /** The first answer. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS, ERR_BUS_TIMEOUT, ERR_BUS_DENIED, ERR_CANCELLED */
  async request(
    subject: string,
    bytes: Uint8Array,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<Msg> {
    return this.replies.wait<Msg>({
      subject,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      send: (reply) => this.ask(subject, bytes, reply),
      take: (message) =>
        nobody(message) ? new ShoalError('ERR_BUS_NO_RESPONDERS', `nobody answers on ${subject}`) : message,
      late: () => new ShoalError('ERR_BUS_TIMEOUT', `no answer on ${subject} within ${options.timeoutMs} ms`),
    });
  }

  /** Publishes a request whose answers go to `reply`. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_DENIED */
  ask(subject: string, bytes: Uint8Array, reply: string): void {
    if (this.#deaf !== undefined) throw this.#deaf;
    if (!this.publish(subject, bytes, { reply })) throw unavailable();
  }

  /**
   * Runs what speaks over the connection itself. When that drops nobody waits any more: `dropped` aborts.
   * @throws ERR_BUS_UNAVAILABLE, and the errors of `run`
   */
  use<R>(run: (connection: NatsConnection, dropped: AbortSignal) => Promise<R>): Promise<R> {
    const connection = this.#connection;
    if (this.#state !== 'connected' || connection === undefined) return Promise.reject(unavailable());
    return new Promise<R>((resolve, reject) => {
      const drop = new AbortController();
      const waiting = this.replies.open(
        '',
        () => {},
        (error) => {
          reject(error);
          drop.abort();
        },
      );
      run(connection, drop.signal).then(resolve, reject).finally(waiting.close);
    });
  }

  listen(pattern: string, queue: string | undefined, handler: (message: Msg) => void): Subscription {
    const listening: Listening = { pattern, queue, handler, current: undefined };
    this.#listening.add(listening);
    if (this.#connection !== undefined) this.#subscribe(this.#connection, listening);
    return {
      close: () => {
        this.#listening.delete(listening);
        try {
          listening.current?.unsubscribe();
        } catch {
          // A closed connection has no subscriptions.
        }
      },
    };
  }

  /** Sends what is buffered, then closes. */
  async close(): Promise<void> {
    if (this.#state === 'connected') await this.#connection?.flush().catch(() => {});
    this.#setState('closed');
    this.replies.failAll(unavailable());
    await this.#link.close();
  }

  #attach(connection: NatsConnection): void {
    this.#connection = connection;
    this.#deaf = undefined;
    if (isOpen(connection)) this.#doors.onOpen?.();
    for (const listening of this.#listening) this.#subscribe(connection, listening);
  }

  #subscribe(connection: NatsConnection, listening: Listening): void {
    // The client makes live subscriptions again by itself; a refused or foreign one is made anew.
    if (listening.current !== undefined && this.#owns(connection, listening.current)) return;
    try {
      listening.current = connection.subscribe(listening.pattern, {
        ...(listening.queue === undefined ? {} : { queue: listening.queue }),
        callback: (error, message) => {
          if (error === null) listening.handler(message);
        },
      });
      this.#owner.set(listening.current, connection);
    } catch (error) {
      this.#logger.debug({ err: error, pattern: listening.pattern }, 'subscribed at the next connection');
    }
  }

  #owns(connection: NatsConnection, subscription: NatsSubscription): boolean {
    return this.#owner.get(subscription) === connection && !subscription.isClosed();
  }

  #down(): void {
    this.#setState('disconnected');
    this.replies.failAll(unavailable());
  }

  #denied(operation: 'publish' | 'subscription', subject: string, cause: Error): void {
    if (operation === 'publish') this.#counters.dropped += 1;
    else if (subject.startsWith(this.replies.prefix)) {
      this.#deaf = new ShoalError('ERR_BUS_DENIED', 'this NATS login may not hear the answers', { cause });
      this.replies.failAll(this.#deaf);
      this.#doors.onRefused?.(cause);
    }
    const key = `${operation} ${subject.split('.').slice(0, 3).join('.')}`;
    const count = (this.#refusals.get(key) ?? 0) + 1;
    this.#refusals.set(key, count);
    if ((count & (count - 1)) === 0) {
      this.#logger.warn({ operation, subject, count }, 'nats permissions forbid this');
    }
    if (operation === 'publish') {
      const denied = new ShoalError('ERR_BUS_DENIED', `NATS forbids publishing on ${subject}`, { cause });
      this.replies.failAll(denied, subject);
    }
  }

  #setState(state: BusState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    for (const listener of [...this.#states]) {
      try {
        listener(state);
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener of the bus state failed');
      }
    }
  }
}

function isOpen({ info }: NatsConnection): boolean {
  return info !== undefined && info.auth_required !== true && info.tls_verify !== true;
}

/** Whether a reply says that nobody listens on the subject. */
export function nobody(message: Msg): boolean {
  return message.headers?.code === 503 && message.data.length === 0;
}

function headersOf(fields: Headers): MsgHdrs {
  const made = headers();
  for (const [name, value] of Object.entries(fields)) made.set(name, value);
  return made;
}
