import { z } from 'zod';
import { labelsSchema } from './labels.ts';
import { LIMITS } from './limits.ts';
import {
  address,
  bytes,
  ip,
  pieceLength,
  port,
  role,
  schedulerKey,
  TOO_MANY_PIECES,
  taskId,
  uint,
} from './message-fields.ts';
import { isGeometry } from './piece.ts';
import { audienceSchema } from './probed.ts';

/** What a host says of itself every second. */
export const aliveSchema = z.object({
  incarnation: uint,
  ip,
  port,
  role,
  /** Of the machine. */
  name: z.string().max(253).optional(),
  zone: z.string().max(128).optional(),
  labels: labelsSchema.optional(),
  version: z.string().max(64),
  /** Transfers running now, and the most that may. */
  uploading: uint,
  downloading: uint,
  slotsUp: uint,
  slotsDown: uint,
  cachedBytes: uint,
  cachedTasks: uint,
});
export type Alive = z.infer<typeof aliveSchema>;

export const announceRequestSchema = aliveSchema.extend({
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey: bytes.refine((key) => key.length === 32, 'an Ed25519 key has 32 bytes'),
});
export type AnnounceRequest = z.infer<typeof announceRequestSchema>;

export const announceReplySchema = z.object({
  /** Membership token, signed by the scheduler that answers. */
  token: z.string().max(4096),
  tokenExpiresAtMs: uint,
  schedulerKeys: z.array(schedulerKey).max(256),
  addressBook: z.array(address).max(LIMITS.addressBookHosts),
  aliveEveryMs: uint,
});
export type AnnounceReply = z.infer<typeof announceReplySchema>;

/** host → owner, at start and on a census: what it holds. */
export const holdsSchema = z.object({
  incarnation: uint,
  page: uint,
  pages: uint,
  tasks: z
    .array(
      z
        .object({
          taskId,
          /** Absent: the task is complete. */
          have: bytes.optional(),
          length: uint.optional(),
          pieceLength: pieceLength.optional(),
          audience: audienceSchema,
        })
        .refine(isGeometry, TOO_MANY_PIECES),
    )
    .max(4096),
  /** Tasks this host evicted. */
  gone: z.array(taskId).max(4096),
});
export type Holds = z.infer<typeof holdsSchema>;

export const censusSchema = z.object({
  epoch: uint,
  partitions: z.array(uint).max(64),
  schedulerKeys: z.array(schedulerKey).max(256),
});
export type Census = z.infer<typeof censusSchema>;

/** What a scheduler says of itself every second. */
export const schedulerAliveSchema = z.object({
  /** The machine that it runs on. */
  name: z.string().max(253),
  /** When it started, wall-clock ms. */
  sinceMs: uint,
  /** The largest epoch of its partitions, and the least; 0 where it has none. */
  epoch: uint,
  epochLeast: uint,
  partitions: z.array(uint).max(64),
  /** Whether a store says who owns what; without one presence alone decides. */
  guided: z.boolean(),
  leaving: z.boolean(),
  tasks: uint,
  hosts: uint,
  version: z.string().max(64),
});
export type SchedulerAlive = z.infer<typeof schedulerAliveSchema>;

/** scheduler → host: give this task up. */
export const evictSchema = z.object({ taskId, reason: z.string().max(500) });
