import { DeliverPolicy } from '@nats-io/jetstream';
import { type JetStream, within } from './jetstream.ts';
import type { StreamDeclaration } from './streams.ts';
import type { WireRecord } from './wire.ts';

/** At most this many messages in one answer: 200 × 256 KiB is within what a server buffers for a client. */
const BATCH = 200;
/** The least that a server waits for messages it has counted and then lost, ms. */
const EXPIRES_MS = 1_000;

/** The last message of each matching subject, oldest first. @throws as `JetStream.on` */
export function readLastRecords(
  jetstream: JetStream,
  stream: StreamDeclaration,
  pattern: string,
): Promise<WireRecord[]> {
  return jetstream.on(stream, async (js, dropped) => {
    const consumer = await js.consumers.get(stream.name, {
      deliver_policy: DeliverPolicy.LastPerSubject,
      // nats-server 2.9 takes no list.
      filter_subjects: pattern,
    });
    const records: WireRecord[] = [];
    try {
      let { num_pending: pending } = await consumer.info(true);
      while (pending > 0) {
        const messages = await consumer.fetch({
          max_messages: Math.min(pending, BATCH),
          expires: EXPIRES_MS,
        });
        // Where nothing comes, what was counted has been replaced or removed meanwhile.
        pending = 0;
        for await (const message of within(messages, dropped)) {
          records.push({ subject: message.subject, bytes: message.data });
          pending = message.info.pending;
          if (pending === 0) break;
        }
      }
    } finally {
      consumer.delete().catch(() => {});
    }
    return records;
  });
}
