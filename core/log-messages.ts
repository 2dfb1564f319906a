import { z } from 'zod';
import {
  bytes,
  pieceLength,
  place,
  source,
  TOO_MANY_PIECES,
  taskId,
  uint,
  wireError,
} from './message-fields.ts';
import { isGeometry } from './piece.ts';
import { audienceSchema, probedSchema } from './probed.ts';

/** The task log, one message for each kind and task. */
export const logCreatedSchema = z
  .object({
    epoch: uint,
    taskId,
    length: uint.optional(),
    pieceLength: pieceLength.optional(),
    sources: z.array(source).max(16),
    audience: audienceSchema,
    home: place.optional(),
    probed: probedSchema.optional(),
    atMs: uint,
  })
  .refine(isGeometry, TOO_MANY_PIECES);
export type LogCreated = z.infer<typeof logCreatedSchema>;

export const logManifestSchema = z.object({
  epoch: uint,
  /** 36 bytes each, as in `hashes`. Paged: page 0 is subject kind `manifest`, further ones `manifest-<n>`. */
  hashes: bytes,
  pages: uint,
});

export const logEndedSchema = z.object({ epoch: uint, atMs: uint, error: wireError.optional() });
export type LogEnded = z.infer<typeof logEndedSchema>;
