import { z } from 'zod';
import { deliverySchema } from './delivery.ts';
import { hostId, taskId } from './message-fields.ts';
import { hostFilterSchema, taskFilterSchema } from './row-filter.ts';

/** command line → schedulers. A list is answered by the page: its rows go on behind the id `after`. */
export const querySchema = z.object({
  taskId: taskId.optional(),
  op: z.enum(['list', 'show', 'history']),
  after: z.string().max(256).optional(),
  /** Rows of a page at most; it ends sooner where a message is full. */
  limit: z.int().min(1).max(4096).optional(),
  /** Only rows that fit; a page may then be short, or empty, and go on. */
  tasks: taskFilterSchema.optional(),
  hosts: hostFilterSchema.optional(),
});
export type Query = z.infer<typeof querySchema>;

/** command line → hosts; the task is in the subject. Only that host is asked, where one is named. */
export const explainSchema = z.object({ hostId: hostId.optional() });
/** How the task came to the host that answers; absent: it does not know. */
export const explainReplySchema = z.object({ hostId, delivery: deliverySchema.optional() });

/** operator → schedulers; the task is in the subject. */
export const removeSchema = z.object({});
/** How many hosts a scheduler told to give the task up, and whether it knew of the task. */
export const removeReplySchema = z.object({ hosts: z.number().int().min(0), known: z.boolean() });
export type RemoveReply = z.infer<typeof removeReplySchema>;
