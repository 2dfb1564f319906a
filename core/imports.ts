import { z } from 'zod';
import { type Digest, isDigest } from './ids.ts';
import { taskId, uint } from './message-fields.ts';

/* Files that are put into a host by hand, and how a file is compared with what a host holds. */

export const importRequestSchema = z.object({
  /** Of all the bytes that follow. */
  digest: z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'not a digest'),
  length: z.coerce.number().int().min(0),
});
/** What is imported. */
export type ImportRequest = z.infer<typeof importRequestSchema>;

export const importedSchema = z.object({
  taskId,
  length: z.number(),
  /** The host held it before, for everybody: nothing was read. */
  wasHere: z.boolean(),
});
/** What became of an import. */
export type Imported = z.infer<typeof importedSchema>;

export const filePrintSchema = z.object({
  length: uint,
  /** SHA-256 over the SHA-256s of the pieces, for each way in which Shoal may have cut content of this length. */
  cuts: z.array(z.object({ pieceLength: uint, print: z.string().regex(/^[0-9a-f]{64}$/) })).max(4),
});
/** What tells whether a host holds the bytes of a file, whatever they are named. */
export type FilePrint = z.infer<typeof filePrintSchema>;
