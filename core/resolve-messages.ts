import { z } from 'zod';
import { hostId, source, taskId, uint, url, wireError } from './message-fields.ts';
import { probedSchema } from './probed.ts';

export const resolveRequestSchema = z.object({
  incarnation: uint,
  /** Names the request through its retries, random. */
  ask: uint,
  url,
  credentials: z.boolean(),
  mayReadOrigin: z.boolean(),
  /** How old an answer of another host may be, ms; 0: not older than this request. */
  maxStaleMs: uint,
  /** Only one stream will do: parts of it, asked for one by one, come with validators that differ. */
  whole: z.boolean().optional(),
  /** What the URL pointed to, whose one stream broke off: the next read is another task. */
  brokenOff: taskId.optional(),
  /** What the origin told, from the host that was told to ask it. */
  outcome: z
    .discriminatedUnion('kind', [
      z.object({
        kind: z.literal('found'),
        taskId,
        probed: probedSchema,
        /** First bytes this host is reading from the origin right now, from 0; they are not leased again. */
        readingBytes: uint,
      }),
      z.object({ kind: z.literal('failed'), error: wireError }),
    ])
    .optional(),
});
export type ResolveRequest = z.infer<typeof resolveRequestSchema>;

/** What an origin can be asked by whether content is still the same; empty where nothing it told proves that. */
const validatorSchema = z.object({
  etag: z.string().max(1024).optional(),
  lastModified: z.string().max(64).optional(),
});

export const resolveReplySchema = z.discriminatedUnion('status', [
  /** Ask the origin, with this validator where one is known, then send the outcome. */
  z.object({
    status: z.literal('ask-origin'),
    known: z.object({ taskId, probed: probedSchema, validator: validatorSchema }).optional(),
  }),
  z.object({ status: z.literal('wait'), afterMs: uint }),
  z.object({ status: z.literal('resolved'), taskId, probed: probedSchema }),
  z.object({ status: z.literal('failed'), error: wireError }),
]);
export type ResolveReply = z.infer<typeof resolveReplySchema>;

/** scheduler → owner of the task: what a host told of its first answer of the origin, to the owner of the URL. */
export const originToldSchema = z.object({
  hostId,
  source,
  probed: probedSchema,
  readingBytes: uint,
  /** Whether the host was sent to ask: what it read so is believed. */
  wasAsked: z.boolean(),
});
export type OriginTold = z.infer<typeof originToldSchema>;
