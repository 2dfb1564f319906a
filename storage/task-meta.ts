import { z } from 'zod';
import { isTaskId, type TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { audienceSchema } from '../core/probed.ts';

const metaSchema = z.object({
  version: z.literal(1),
  taskId: z.custom<TaskId>((value) => typeof value === 'string' && isTaskId(value)),
  length: z.int().min(0).optional(),
  pieceLength: z
    .int()
    .min(1)
    .max(64 * 1024 * 1024),
  audience: audienceSchema,
  home: z.string().max(512).optional(),
  sources: z.array(z.object({ url: z.string().max(8192), credentials: z.boolean() })),
  etag: z.string().optional(),
  mediaType: z.string().optional(),
  encoding: z.string().optional(),
  /** Every piece is there and the whole agreed with its digest. */
  sealed: z.boolean(),
  /** The boot of the machine since which every recorded piece is known to be on disk. */
  bootId: z.string(),
});

/** What `meta.json` of a task holds. */
export type TaskMeta = z.infer<typeof metaSchema>;

/** Undefined where the text is not the whole meta of a task. Never throws. */
export function parseMeta(text: string): TaskMeta | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = metaSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { length, pieceLength } = parsed.data;
  if (length !== undefined && length > pieceLength * LIMITS.piecesPerTask) return undefined;
  return parsed.data;
}
