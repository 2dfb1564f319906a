import type { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { sleep } from '../core/clock.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Logger } from '../core/logger.ts';
import { Address, checkToken, swarmPrefix } from './address.ts';
import type {
  AdmitMessage,
  Bucket,
  Bus,
  BusState,
  Directory,
  EventMessage,
  LogSubject,
  PublishSubject,
  QueueSubject,
  RequestSubject,
  Subscription,
  Tokens,
} from './bus.ts';
import { checkSize, decode, decodeError, encode, encodeError, faultOf } from './codec.ts';
import type { BusCounters } from './counters.ts';
import { isInboxOf } from './inbox.ts';
import type { Wire, WireMessage } from './wire.ts';

/** What a bus is made of. */
export interface TypedBusParts {
  readonly name: string;
  readonly wire: Wire;
  readonly swarm: string;
  readonly counters: BusCounters;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The typed half of every bus: addresses, messages, validation and errors over a wire that carries bytes. */
export class TypedBus implements Bus {
  readonly name: string;
  readonly #wire: Wire;
  readonly #swarm: string;
  readonly #prefix: string;
  readonly #counters: BusCounters;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, Address>();
  readonly #subscriptions = new Set<Subscription>();
  readonly #refusals = new Map<string, number>();
  #running = 0;
  #idle: (() => void) | undefined;

  /** @throws ERR_CONFIG_INVALID (the swarm's name) */
  constructor(parts: TypedBusParts) {
    this.name = parts.name;
    this.#wire = parts.wire;
    this.#swarm = parts.swarm;
    this.#prefix = swarmPrefix(parts.swarm);
    this.#counters = parts.counters;
    this.#logger = parts.logger;
    this.#clock = parts.clock;
  }

  get state(): BusState {
    return this.#wire.state;
  }

  get counters(): Readonly<BusCounters> {
    return this.#counters;
  }

  onState(listener: (state: BusState) => void): Subscription {
    return this.#wire.onState(listener);
  }

  async request<T extends Tokens, M, R>(
    subject: RequestSubject<T, M, R>,
    tokens: T,
    message: M,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<R> {
    const address = this.#address<T>(subject.template);
    const answer = await this.#wire.request(address.subject(tokens), encode(message), options);
    if (answer.fault !== undefined) throw decodeError(answer.bytes);
    return this.#open(subject.template, subject.reply, answer.bytes);
  }

  async gather<T extends Tokens, M, R>(
    subject: RequestSubject<T, M, R>,
    tokens: T,
    message: M,
    options: { readonly waitMs: number; readonly most?: number },
  ): Promise<R[]> {
    const address = this.#address<T>(subject.template);
    const { waitMs, most } = options;
    const answers = await this.#wire.gather(address.subject(tokens), encode(message), waitMs, most);
    const replies: R[] = [];
    for (const answer of answers) {
      if (answer.fault !== undefined) continue;
      const decoded = decode(subject.reply, answer.bytes);
      if (decoded.ok) replies.push(decoded.message);
      else this.#refuse(subject.template, decoded.reason);
    }
    return replies;
  }

  serve<T extends Tokens, M, R>(
    subject: RequestSubject<T, M, R>,
    match: Partial<T>,
    handler: (message: M, tokens: T) => R | Promise<R>,
    options: { readonly queue?: string; readonly admit?: AdmitMessage<T> } = {},
  ): Subscription {
    const address = this.#address<T>(subject.template);
    return this.#listen(address.pattern(match), options.queue, (arrived) => {
      const tokens = address.parse(arrived.subject);
      if (arrived.respond === undefined || tokens === undefined) {
        this.#refuse(subject.template, 'a request without a reply subject, or of another subject');
        return;
      }
      if (!isInboxOf(tokens[subject.sender] ?? '', arrived.reply ?? '')) {
        // An answer is published with the rights of whoever answers: it must not go where the sender may not write.
        this.#refuse(subject.template, 'a request whose reply subject is not below the inbox of its sender');
        return;
      }
      if (options.admit?.(tokens, arrived.bytes.length) === false) {
        this.#fail(arrived, new ShoalError('ERR_SCHED_BUSY', 'this host asks more than one host may'));
        return;
      }
      if (this.#running >= LIMITS.busHandlers) {
        this.#counters.slow += 1;
        this.#fail(arrived, new ShoalError('ERR_BUS_UNAVAILABLE', 'too many requests are being answered'));
        return;
      }
      const decoded = decode(subject.message, arrived.bytes);
      if (!decoded.ok) {
        this.#refuse(subject.template, decoded.reason);
        this.#fail(arrived, new ShoalError('ERR_BUS_MESSAGE_INVALID', `invalid request: ${decoded.reason}`));
        return;
      }
      this.#answer(arrived, () => handler(decoded.message, tokens));
    });
  }

  publish<T extends Tokens, M>(subject: PublishSubject<T, M>, tokens: T, message: M): boolean {
    return this.#send(this.#address<T>(subject.template).subject(tokens), encode(message));
  }

  subscribe<T extends Tokens, M>(
    subject: PublishSubject<T, M>,
    match: Partial<T>,
    handler: (message: M, tokens: T) => void,
    options: { readonly admit?: AdmitMessage<T> } = {},
  ): Subscription {
    const address = this.#address<T>(subject.template);
    return this.#listen(address.pattern(match), undefined, (arrived) => {
      const tokens = address.parse(arrived.subject);
      if (tokens !== undefined && options.admit?.(tokens, arrived.bytes.length) === false) return;
      const decoded = decode(subject.message, arrived.bytes);
      if (decoded.ok && tokens !== undefined) handler(decoded.message, tokens);
      else this.#refuse(subject.template, decoded.ok ? 'another subject' : decoded.reason);
    });
  }

  emit(event: EventMessage): boolean {
    for (const token of event.subject.split('.')) checkToken('an event', token);
    const body = checkSize(new TextEncoder().encode(JSON.stringify(event.body)));
    return this.#send(`${this.#prefix}event.${event.subject}`, body);
  }

  subscribeEvents(listener: (subject: string, body: unknown) => void): Subscription {
    const prefix = `${this.#prefix}event.`;
    return this.#listen(`${prefix}>`, undefined, (arrived) => {
      let body: unknown;
      try {
        checkSize(arrived.bytes);
        body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(arrived.bytes));
      } catch {
        this.#refuse('event', 'not JSON');
        return;
      }
      listener(arrived.subject.slice(prefix.length), body);
    });
  }

  async append<T extends Tokens, M>(subject: LogSubject<T, M>, tokens: T, message: M): Promise<void> {
    const bytes = encode(message);
    await this.#wire.append(subject.stream, this.#address<T>(subject.template).subject(tokens), bytes);
  }

  async readLog<T extends Tokens, M>(
    subject: LogSubject<T, M>,
    match: Partial<T>,
  ): Promise<{ readonly tokens: T; readonly message: M }[]> {
    const address = this.#address<T>(subject.template);
    const found: { tokens: T; message: M }[] = [];
    for (const record of await this.#wire.readLast(subject.stream, address.pattern(match))) {
      const tokens = address.parse(record.subject);
      const decoded = decode(subject.message, record.bytes);
      if (decoded.ok && tokens !== undefined) found.push({ tokens, message: decoded.message });
      else this.#refuse(subject.template, decoded.ok ? 'another subject' : decoded.reason);
    }
    return found;
  }

  async enqueue<T extends Tokens, M>(subject: QueueSubject<T, M>, tokens: T, message: M): Promise<boolean> {
    const bytes = encode(message);
    return this.#wire.enqueue(subject.stream, this.#address<T>(subject.template).subject(tokens), bytes);
  }

  work<T extends Tokens, M>(
    subject: QueueSubject<T, M>,
    options: { readonly ackMs: number; readonly atOnce: number },
    handler: (message: M, tokens: T) => Promise<void>,
  ): Subscription {
    const address = this.#address<T>(subject.template);
    const working = this.#wire.work(subject.stream, options, async (record) => {
      const tokens = address.parse(record.subject);
      const decoded = decode(subject.message, record.bytes);
      if (decoded.ok && tokens !== undefined) return handler(decoded.message, tokens);
      this.#refuse(subject.template, decoded.ok ? 'another subject' : decoded.reason);
    });
    return this.#kept(working);
  }

  directory(bucket: Bucket): Directory {
    return this.#wire.directory(bucket);
  }

  async close(): Promise<void> {
    for (const subscription of [...this.#subscriptions]) subscription.close();
    if (this.#running > 0) {
      const giveUp = new AbortController();
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      await Promise.race([idle, sleep(this.#clock, LIMITS.busCloseMs, giveUp.signal).catch(() => {})]);
      giveUp.abort();
    }
    await this.#wire.close();
  }

  #address<T extends Tokens>(template: string): Address<T> {
    let address = this.#addresses.get(template);
    if (address === undefined) {
      address = new Address(this.#swarm, template);
      this.#addresses.set(template, address);
    }
    return address as unknown as Address<T>;
  }

  #send(subject: string, bytes: Uint8Array): boolean {
    const sent = this.#wire.publish(subject, bytes);
    if (!sent) this.#counters.dropped += 1;
    return sent;
  }

  #listen(pattern: string, queue: string | undefined, take: (message: WireMessage) => void): Subscription {
    const listening = this.#wire.listen(pattern, queue, (message) => {
      try {
        take(message);
      } catch (error) {
        this.#logger.error({ err: error, subject: message.subject }, 'a message handler failed');
      }
    });
    return this.#kept(listening);
  }

  /** Closed with the bus, unless it is closed before. */
  #kept(open: Subscription): Subscription {
    const subscription = {
      close: () => {
        this.#subscriptions.delete(subscription);
        open.close();
      },
    };
    this.#subscriptions.add(subscription);
    return subscription;
  }

  #answer(arrived: WireMessage, run: () => unknown): void {
    let result: unknown;
    try {
      result = run();
    } catch (error) {
      this.#fail(arrived, error);
      return;
    }
    if (!(result instanceof Promise)) {
      this.#reply(arrived, result);
      return;
    }
    this.#running += 1;
    result
      .then(
        (reply) => this.#reply(arrived, reply),
        (error: unknown) => this.#fail(arrived, error),
      )
      .finally(() => {
        this.#running -= 1;
        if (this.#running === 0) this.#idle?.();
      });
  }

  #reply(arrived: WireMessage, reply: unknown): void {
    let bytes: Uint8Array;
    try {
      bytes = encode(reply);
    } catch (error) {
      this.#logger.error({ err: error, subject: arrived.subject }, 'a reply cannot be sent');
      this.#fail(arrived, error);
      return;
    }
    arrived.respond?.({ bytes });
  }

  #fail(arrived: WireMessage, thrown: unknown): void {
    const error = toShoalError(thrown);
    if (error.code === 'ERR_INTERNAL') {
      this.#logger.error({ err: thrown, subject: arrived.subject }, 'a request handler failed');
    }
    arrived.respond?.({ bytes: encodeError(error), fault: faultOf(error.code, error.message) });
  }

  #open<M>(template: string, schema: z.ZodType<M>, bytes: Uint8Array): M {
    const decoded = decode(schema, bytes);
    if (decoded.ok) return decoded.message;
    this.#refuse(template, decoded.reason);
    throw new ShoalError('ERR_BUS_MESSAGE_INVALID', `invalid reply on ${template}: ${decoded.reason}`);
  }

  /** Counts every refusal; logs the 1st, 2nd, 4th, 8th … of a subject, so that a flood stays a few lines. */
  #refuse(template: string, reason: string): void {
    this.#counters.invalid += 1;
    const count = (this.#refusals.get(template) ?? 0) + 1;
    this.#refusals.set(template, count);
    if ((count & (count - 1)) === 0) {
      this.#logger.warn({ template, reason, count }, 'an invalid message was dropped');
    }
  }
}
