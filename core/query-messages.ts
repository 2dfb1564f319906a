import { z } from 'zod';
import { taskId } from './message-fields.ts';

/** command line → schedulers. */
export const querySchema = z.object({ taskId: taskId.optional(), op: z.enum(['list', 'show', 'remove']) });
export type Query = z.infer<typeof querySchema>;
