import { z } from 'zod';
import { uint } from './message-fields.ts';
import { timeSpentSchema } from './time-spent.ts';

/** Sources told one by one; what is beyond is told together. */
export const SOURCES_TOLD = 16;
const KINDS = 16;

/** Counts by reason; nobody has more reasons than there are. */
export const reasonCounts = z
  .record(z.string().max(32), uint)
  .refine((value) => Object.keys(value).length <= KINDS, 'too many reasons');

export const bytesBySourceSchema = z.object({
  origin: uint.describe('bytes read from an origin'),
  peers: uint.describe('bytes received from other hosts'),
  local: uint.describe('bytes that were on this host already'),
});

export const deliverySourceSchema = z.object({
  from: z.string().max(64).describe('`origin`, a host id, or `others`'),
  hosts: uint.optional().describe('of `others`: how many'),
  bytes: uint.describe('bytes of the pieces that it gave'),
  unusedBytes: uint.describe('bytes that came from it and were not kept'),
  tookMs: z.number().min(0).describe('time in which at least one transfer from it ran'),
  failed: reasonCounts.describe('transfers that failed, by reason'),
});
/** What one source did for a download. */
export type DeliverySource = z.infer<typeof deliverySourceSchema>;

export const deliverySchema = z.object({
  outcome: z.enum(['running', 'complete', 'failed', 'left']).default('complete'),
  /** Wall-clock ms of its begin, and of when this was said. */
  begunMs: uint.default(0),
  atMs: uint,
  length: uint.optional(),
  bytes: bytesBySourceSchema,
  /** Of these bytes, those of pieces that were taken back. */
  droppedBytes: uint.default(0),
  originReasons: reasonCounts.default({}),
  durationMs: z.number().min(0),
  time: timeSpentSchema.optional(),
  /** The most that the host was seen to receive; 0 while unknown. */
  linkBytesPerSec: z.number().min(0).default(0),
  sources: z
    .array(deliverySourceSchema)
    .max(SOURCES_TOLD + 1)
    .default([]),
  error: z.object({ code: z.string().max(64), message: z.string().max(2000) }).optional(),
});
/** How a task came to one host, as that host tells it: docs/EXPLAIN.md. */
export type Delivery = z.infer<typeof deliverySchema>;
