import { setTimeout as delay } from 'node:timers/promises';
import {
  AuthorizationError,
  type ConnectionOptions,
  connect,
  type NatsConnection,
  PermissionViolationError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import type { Logger } from '../core/logger.ts';

/** What a link tells its owner. */
export interface LinkEvents {
  /** A connection is there, the first or a new one: subscribe what is missing. */
  attach(connection: NatsConnection): void;
  /** Everything subscribed is known to the server. */
  up(): void;
  down(): void;
  denied(operation: 'publish' | 'subscription', subject: string, error: Error): void;
  /** The server does not take this login. */
  refused(error: Error): void;
}

const RETRY_MS = 250;
/** Tries of a server that is down go from one log line each to silence. */
const LOGGED_TRIES = 1;

/** Keeps one connection to NATS for ever, from before NATS is there until `close`. */
export class NatsLink {
  readonly #options: ConnectionOptions;
  readonly #events: LinkEvents;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #round = 0;
  #errors = 0;

  constructor(options: ConnectionOptions, events: LinkEvents, logger: Logger) {
    this.#options = options;
    this.#events = events;
    this.#logger = logger;
    void this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close();
  }

  async #run(): Promise<void> {
    for (let tries = 1; !this.#closing.signal.aborted; tries += 1) {
      try {
        const connection = await connect(this.#options);
        tries = 0;
        await this.#hold(connection);
      } catch (error) {
        this.#refusal(error);
        const say = tries <= LOGGED_TRIES ? this.#logger.warn : this.#logger.debug;
        say({ err: error, servers: this.#options.servers, tries }, 'cannot connect to nats, trying on');
      }
      await delay(RETRY_MS * (1 + Math.random()), undefined, { signal: this.#closing.signal }).catch(
        () => {},
      );
    }
  }

  async #hold(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close();
    this.#connection = connection;
    this.#up(connection);
    const watching = this.#watch(connection);
    await connection.closed();
    await watching;
    this.#connection = undefined;
    this.#down();
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        this.#down();
        this.#logger.warn({ server: status.server }, 'lost nats, reconnecting');
      } else if (status.type === 'reconnect') this.#up(connection);
      else if (status.type === 'error') this.#error(status.error);
    }
  }

  #up(connection: NatsConnection): void {
    this.#round += 1;
    const round = this.#round;
    this.#events.attach(connection);
    connection.flush().then(
      () => {
        if (round !== this.#round || this.#closing.signal.aborted) return;
        this.#logger.info({ server: connection.getServer() }, 'connected to nats');
        this.#errors = 0;
        this.#events.up();
      },
      // The next status says what became of the connection.
      () => {},
    );
  }

  #down(): void {
    this.#round += 1;
    this.#events.down();
  }

  #refusal(error: unknown): void {
    if (error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError) {
      this.#events.refused(error);
    }
  }

  #error(error: Error): void {
    if (error instanceof PermissionViolationError) {
      this.#events.denied(error.operation, error.subject, error);
      return;
    }
    this.#refusal(error);
    // A refused login comes again at every try: 1st, 2nd, 4th, 8th …
    this.#errors += 1;
    const count = this.#errors;
    if ((count & (count - 1)) === 0) this.#logger.warn({ err: error, count }, 'nats refused something');
  }
}
