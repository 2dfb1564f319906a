import type { Msg } from '@nats-io/transport-node';
import { z } from 'zod';
import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { JetStreamApi } from './jetstream-api.ts';
import type { StreamConfig } from './streams.ts';

/** A message of a stream. */
export interface StreamRecord {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Its number in the stream. */
  readonly sequence: number;
  /** A marker of a removed key. */
  readonly removed: boolean;
}

/** Where a message of a consumer stands. */
export interface Delivery {
  readonly streamSequence: number;
  readonly consumerSequence: number;
  /** Messages the consumer still has after this one. */
  readonly pending: number;
}

/** What the creation of a consumer answers. */
export const consumerSchema = z.object({ name: z.string(), num_pending: z.int().min(0) });

/** At most this many messages in one answer: 256 × 256 KiB is what a server buffers for a client. */
const BATCH = 200;
const INACTIVE_NANOS = 30e9;

/** The last message of each matching subject, oldest first. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT, ERR_BUS_DENIED */
export function readLastRecords(
  api: JetStreamApi,
  stream: StreamConfig,
  pattern: string,
): Promise<StreamRecord[]> {
  return api.on(stream, async () => {
    const consumer = await api.call(
      `CONSUMER.CREATE.${stream.name}`,
      {
        stream_name: stream.name,
        config: {
          deliver_policy: 'last_per_subject',
          filter_subject: pattern,
          ack_policy: 'none',
          replay_policy: 'instant',
          inactive_threshold: INACTIVE_NANOS,
          mem_storage: true,
          num_replicas: 1,
        },
      },
      consumerSchema,
    );
    const records: StreamRecord[] = [];
    try {
      for (let pending = consumer.num_pending; pending > 0; ) {
        // Nothing came: what was counted has been replaced or removed meanwhile, and 0 are left.
        pending = await pull(api, `${stream.name}.${consumer.name}`, Math.min(pending, BATCH), records);
      }
    } finally {
      api.call(`CONSUMER.DELETE.${stream.name}.${consumer.name}`, undefined, z.unknown()).catch(() => {});
    }
    return records;
  });
}

/** Takes one batch; returns how many messages the consumer still has. */
async function pull(
  api: JetStreamApi,
  consumer: string,
  batch: number,
  into: StreamRecord[],
): Promise<number> {
  const { client } = api;
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${consumer}`;
  const inbox = client.freshInbox();
  let left = batch;
  let pending = 0;
  let settle: (message: Msg) => void = () => {};
  const listening = client.listen(inbox, undefined, (message) => settle(message));
  try {
    return await client.replies.wait<number>({
      subject,
      timeoutMs: LIMITS.busStoreMs,
      send: () =>
        client.ask(subject, new TextEncoder().encode(JSON.stringify({ batch, no_wait: true })), inbox),
      bind: (take) => {
        settle = take;
      },
      take: (message) => {
        const status = message.headers?.code ?? 0;
        if (status === 404 || status === 408) return pending;
        if (status !== 0)
          return new ShoalError('ERR_BUS_UNAVAILABLE', `reading ${consumer} broke off: ${status}`);
        const delivery = deliveryOf(message);
        if (delivery === undefined) return undefined;
        pending = delivery.pending;
        left -= 1;
        into.push(recordOf(message, delivery));
        return left === 0 || pending === 0 ? pending : undefined;
      },
      late: () => new ShoalError('ERR_BUS_TIMEOUT', `reading ${consumer} took too long`),
    });
  } finally {
    listening.close();
  }
}

/** Whether a message is word from the server rather than content. */
export function isStatus(message: Msg): boolean {
  return (message.headers?.code ?? 0) !== 0;
}

/** Reads the reply subject of a message from a consumer: 9 tokens, or 11 and more where it names a domain. */
export function deliveryOf(message: Msg): Delivery | undefined {
  const tokens = (message.reply ?? '').split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const first = tokens.length === 9 ? 5 : 7;
  const [streamSequence, consumerSequence, , pending] = tokens.slice(first, first + 4).map(Number);
  if (streamSequence === undefined || consumerSequence === undefined || pending === undefined)
    return undefined;
  return { streamSequence, consumerSequence, pending };
}

/** The content of a message from a consumer. */
export function recordOf(message: Msg, delivery: Delivery): StreamRecord {
  const operation = message.headers?.get('KV-Operation') ?? '';
  return {
    subject: message.subject,
    bytes: message.data,
    sequence: delivery.streamSequence,
    removed: operation === 'DEL' || operation === 'PURGE',
  };
}
