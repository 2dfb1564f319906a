import { randomBytes } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Packr } from 'msgpackr';
import type { HostId } from '../core/ids.ts';
import { Address } from '../transport/address.ts';
import type { PublishSubject, RequestSubject, Tokens } from '../transport/bus.ts';
import { encode } from '../transport/codec.ts';
import { SUBJECTS } from '../transport/subjects.ts';

const SWARM = 'shoal';
const packr = new Packr({ useRecords: false, copyBuffers: true, moreTypes: false });

interface Waiting {
  readonly done: (reply: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** What the light hosts of a process hear that they did not ask for. */
export interface Heard {
  readonly onLeases: (hostId: string, message: unknown) => void;
  /** To all hosts, or to one. */
  readonly onCensus: (message: unknown, hostId?: string) => void;
  readonly onState: (connected: boolean) => void;
  /** A scheduler took a host for gone. */
  readonly onLost: () => void;
}

/**
 * One NATS connection for all light hosts of a process. Who speaks is a token of the subject; what comes is taken as it
 * is, for a host that checks every message costs ten times as much.
 */
export class SharedBus {
  readonly #connection: NatsConnection;
  readonly #life = randomBytes(6).toString('hex');
  readonly #waiting = new Map<string, Waiting>();
  readonly #addresses = new Map<string, Address>();
  #next = 0;
  /** Messages sent. */
  sent = 0;

  private constructor(connection: NatsConnection, heard: Heard) {
    this.#connection = connection;
    connection.subscribe(`_INBOX_SHOAL.host.*.${this.#life}.*`, {
      callback: (_, message) => this.#answered(message.subject, message.data, message.headers !== undefined),
    });
    const leases = this.#address(SUBJECTS.leases.template);
    connection.subscribe(leases.pattern({}), {
      callback: (_, message) =>
        heard.onLeases(leases.parse(message.subject)?.['hostId'] ?? '', packr.unpack(message.data)),
    });
    connection.subscribe(this.#address(SUBJECTS.census.template).pattern({}), {
      callback: (_, message) => heard.onCensus(packr.unpack(message.data)),
    });
    const asks = this.#address(SUBJECTS.ask.template);
    connection.subscribe(asks.pattern({}), {
      callback: (_, message) =>
        heard.onCensus(packr.unpack(message.data), asks.parse(message.subject)?.['hostId']),
    });
    connection.subscribe(`${SWARM}.v1.event.host.lost.>`, { callback: () => heard.onLost() });
    void this.#watch(heard.onState);
  }

  static async connect(url: string, heard: Heard): Promise<SharedBus> {
    const options = { servers: url, name: 'light hosts', noAsyncTraces: true, maxReconnectAttempts: -1 };
    return new SharedBus(await connect({ ...options, reconnectTimeWait: 100 }), heard);
  }

  async #watch(onState: Heard['onState']): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') onState(false);
      if (type === 'reconnect') onState(true);
    }
  }

  /** The answer as it came. @throws Error where there is none in time, or it is an error */
  request<T extends Tokens, M, R>(
    hostId: HostId,
    subject: RequestSubject<T, M, R>,
    tokens: T,
    message: M,
    timeoutMs: number,
  ): Promise<unknown> {
    this.#next += 1;
    const token = this.#next.toString(36);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(() => reject(new Error('late'))), timeoutMs);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(token);
        settle();
      };
      this.#waiting.set(token, {
        done: (reply) => end(() => resolve(reply)),
        fail: (error) => end(() => reject(error)),
      });
      const reply = `_INBOX_SHOAL.host.${hostId}.${this.#life}.${token}`;
      this.#send(this.#address(subject.template).subject(tokens), encode(message), reply);
    });
  }

  publish<T extends Tokens, M>(subject: PublishSubject<T, M>, tokens: T, message: M): void {
    this.#send(this.#address(subject.template).subject(tokens), encode(message));
  }

  #send(subject: string, bytes: Uint8Array, reply?: string): void {
    this.sent += 1;
    this.#connection.publish(subject, bytes, reply === undefined ? {} : { reply });
  }

  #answered(subject: string, bytes: Uint8Array, isFault: boolean): void {
    const waiting = this.#waiting.get(subject.slice(subject.lastIndexOf('.') + 1));
    if (waiting === undefined) return;
    if (bytes.length === 0) return waiting.fail(new Error('nobody'));
    const reply: unknown = packr.unpack(bytes);
    if (isFault) waiting.fail(Object.assign(new Error('refused'), { wire: reply }));
    else waiting.done(reply);
  }

  #address(template: string): Address {
    let address = this.#addresses.get(template);
    if (address === undefined) {
      address = new Address(SWARM, template);
      this.#addresses.set(template, address);
    }
    return address;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
