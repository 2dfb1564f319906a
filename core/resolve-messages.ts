import { z } from 'zod';
import { taskId, uint, url, wireError } from './message-fields.ts';
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

export const resolveReplySchema = z.discriminatedUnion('status', [
  /** Ask the origin, with this validator where one is known, then send the outcome. */
  z.object({
    status: z.literal('ask-origin'),
    known: z
      .object({
        taskId,
        length: uint.optional(),
        etag: z.string().optional(),
        lastModified: z.string().optional(),
        encoding: z.string().max(64).optional(),
      })
      .optional(),
  }),
  z.object({ status: z.literal('wait'), afterMs: uint }),
  z.object({ status: z.literal('resolved'), taskId, probed: probedSchema }),
  z.object({ status: z.literal('failed'), error: wireError }),
]);
export type ResolveReply = z.infer<typeof resolveReplySchema>;
