import type { Msg } from '@nats-io/transport-node';
import type { Logger } from '../core/logger.ts';
import type { Subscription } from './bus.ts';
import type { JetStreamApi } from './jetstream-api.ts';
import { consumerSchema, deliveryOf, isStatus, recordOf } from './nats-records.ts';
import type { StreamConfig } from './streams.ts';

/** A change of a directory; without value the key was removed. */
export interface DirectoryChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

interface Watching {
  readonly api: JetStreamApi;
  readonly stream: StreamConfig;
  /** What precedes the key in a subject. */
  readonly prefix: string;
  readonly listener: (change: DirectoryChange) => void;
  readonly logger: Logger;
}

const HEARTBEAT_MS = 5_000;
const RETRY_MS = 1_000;

/**
 * Tells every entry there is and every change, across lost connections, gaps and a lost store: each round begins
 * with all entries, and only what differs from what was told is told again.
 */
export function watchBucket(watching: Watching): Subscription {
  const { api, stream, prefix, logger } = watching;
  const { client } = api;
  const told = new Map<string, number>();
  let open = true;
  let round = 0;
  let heardAt = 0;
  let retry: NodeJS.Timeout | undefined;
  let listening: Subscription | undefined;

  const tell = (change: DirectoryChange) => {
    try {
      watching.listener(change);
    } catch (error) {
      logger.error({ err: error }, 'a listener of a directory failed');
    }
  };
  const take = (key: string, value: Uint8Array | undefined, revision: number) => {
    if (value === undefined ? !told.has(key) : told.get(key) === revision) return;
    if (value === undefined) told.delete(key);
    else told.set(key, revision);
    tell({ key, value, revision });
  };

  const begin = async () => {
    round += 1;
    const mine = round;
    listening?.close();
    clearTimeout(retry);
    if (!open || client.state !== 'connected') return;
    heardAt = Date.now();
    const present = new Set<string>();
    let expected = 1;
    let total: number | undefined;
    const forgetAbsent = () => {
      total = undefined;
      for (const [key, revision] of [...told]) if (!present.has(key)) take(key, undefined, revision);
    };
    const hear = (message: Msg) => {
      if (mine !== round) return;
      heardAt = Date.now();
      if (isStatus(message)) {
        // Flow control: the server waits for an empty answer before it sends more.
        const control = message.reply || message.headers?.get('Nats-Consumer-Stalled');
        if (control) client.publish(control, new Uint8Array());
        const last = Number(message.headers?.get('Nats-Last-Consumer') || '0');
        if (last >= expected) again();
        return;
      }
      const delivery = deliveryOf(message);
      if (delivery === undefined) return;
      if (delivery.consumerSequence !== expected) return again();
      expected += 1;
      const record = recordOf(message, delivery);
      const key = record.subject.slice(prefix.length);
      if (!record.removed) present.add(key);
      take(key, record.removed ? undefined : record.bytes, record.sequence);
      if (total !== undefined && (delivery.pending === 0 || expected > total)) forgetAbsent();
    };
    const inbox = client.freshInbox();
    listening = client.listen(inbox, undefined, hear);
    try {
      // The answer may come after the first messages: until it does, every end is the end of the first pass.
      total = Number.MAX_SAFE_INTEGER;
      const consumer = await api.on(stream, () =>
        api.call(
          `CONSUMER.CREATE.${stream.name}`,
          {
            stream_name: stream.name,
            config: {
              deliver_subject: inbox,
              deliver_policy: 'last_per_subject',
              filter_subject: `${prefix}>`,
              ack_policy: 'none',
              replay_policy: 'instant',
              idle_heartbeat: HEARTBEAT_MS * 1e6,
              flow_control: true,
              mem_storage: true,
              num_replicas: 1,
            },
          },
          consumerSchema,
        ),
      );
      if (mine === round && expected === 1 && consumer.num_pending === 0) forgetAbsent();
    } catch (error) {
      if (mine !== round) return;
      logger.debug({ err: error, stream: stream.name }, 'a directory cannot be watched, trying on');
      again(RETRY_MS);
    }
  };
  const again = (delayMs = 0) => {
    round += 1;
    clearTimeout(retry);
    if (open) retry = setTimeout(() => void begin(), delayMs);
  };

  const pulse = setInterval(() => {
    if (client.state === 'connected' && Date.now() - heardAt > 2.5 * HEARTBEAT_MS) again();
  }, HEARTBEAT_MS);
  const states = client.onState((state) => {
    if (state === 'connected') again();
  });
  void begin();
  return {
    close: () => {
      open = false;
      round += 1;
      clearTimeout(retry);
      clearInterval(pulse);
      states.close();
      listening?.close();
    },
  };
}
