import { z } from 'zod';
import { isTaskId } from '../../core/ids.ts';

/** A digest stands for its task. */
const asTask = (text: string): string => text.replace(/^(sha256|sha512):/i, '$1-').toLowerCase();

/** A task in a path. */
export const taskParams = z.object({
  taskId: z
    .string()
    .max(200)
    .transform(asTask)
    .refine(isTaskId, 'not a task id, nor a digest')
    .describe('a task id, or a digest'),
});

/** The beginning of a task id or a digest. */
export const idBeginning = z
  .string()
  .regex(/^[A-Za-z0-9:-]{1,200}$/, 'not the beginning of an id')
  .transform(asTask);

/** The beginning of a host id. */
export const hostIdBeginning = z
  .string()
  .regex(/^[0-9a-fA-F]{1,32}$/, 'not the beginning of a host id')
  .transform((text) => text.toLowerCase());
