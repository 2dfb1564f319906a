import { z } from 'zod';
import { taskId } from './message-fields.ts';

/** command line → schedulers. A list is answered by the page: its rows go on behind the id `after`. */
export const querySchema = z.object({
  taskId: taskId.optional(),
  op: z.enum(['list', 'show']),
  after: z.string().max(256).optional(),
  /** Rows of a page at most; it ends sooner where a message is full. */
  limit: z.int().min(1).max(4096).optional(),
});
export type Query = z.infer<typeof querySchema>;

/** operator → schedulers; the task is in the subject. */
export const removeSchema = z.object({});
/** How many hosts a scheduler told to give the task up, and whether it knew of the task. */
export const removeReplySchema = z.object({ hosts: z.number().int().min(0), known: z.boolean() });
export type RemoveReply = z.infer<typeof removeReplySchema>;
