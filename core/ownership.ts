import { z } from 'zod';
import type { SchedulerId } from './ids.ts';
import { schedulerId, uint } from './message-fields.ts';

/*
 * What lies in the bucket `ownership`: one heartbeat a scheduler, and one row a partition, which changes only when
 * another takes it over.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a scheduler says of itself in the store, again and again. */
const heartbeatSchema = z.object({
  /** Its signing key, which outlives the process. */
  keyId: z.string().max(64),
  /** It will be gone soon: nothing falls to it any more. */
  leaving: z.boolean(),
  /** Partitions that it serves until somebody takes them over. */
  offers: z.array(uint).max(64),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** Who owns a partition, under which epoch. */
const ownershipRowSchema = z.object({ owner: schedulerId, epoch: uint });
export type OwnershipRow = z.infer<typeof ownershipRowSchema>;

const HEARTBEAT = 'heartbeat.';
const PARTITION = 'partition.';

/** Where the heartbeat of a scheduler lies. */
export function heartbeatKey(owner: SchedulerId): string {
  return HEARTBEAT + owner;
}

/** Where the row of a partition lies. */
export function partitionKey(partition: number): string {
  return PARTITION + partition;
}

/** A record of the store as it is written. */
export function recordBytes(record: Heartbeat | OwnershipRow): Uint8Array {
  return encoder.encode(JSON.stringify(record));
}

/** What a key is of; undefined where it is neither. */
export function ownershipKey(
  key: string,
): { readonly heartbeatOf: SchedulerId } | { readonly partition: number } | undefined {
  if (key.startsWith(HEARTBEAT)) {
    const id = schedulerId.safeParse(key.slice(HEARTBEAT.length));
    return id.success ? { heartbeatOf: id.data } : undefined;
  }
  const partition = key.startsWith(PARTITION) ? Number(key.slice(PARTITION.length)) : Number.NaN;
  return Number.isSafeInteger(partition) ? { partition } : undefined;
}

/** A heartbeat as it was read; undefined where it is none. */
export function readHeartbeat(bytes: Uint8Array): Heartbeat | undefined {
  return read(heartbeatSchema, bytes);
}

/** A row as it was read; undefined where it is none. */
export function readOwnershipRow(bytes: Uint8Array): OwnershipRow | undefined {
  return read(ownershipRowSchema, bytes);
}

function read<M>(schema: z.ZodType<M>, bytes: Uint8Array): M | undefined {
  try {
    return schema.safeParse(JSON.parse(decoder.decode(bytes))).data;
  } catch {
    return undefined;
  }
}
