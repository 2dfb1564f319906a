import { z } from 'zod';
import { uint } from './message-fields.ts';

/** Who may read cached content: everyone, or those whom the source lets in. */
export const audienceSchema = z.enum(['public', 'source']);
export type TaskAudience = z.infer<typeof audienceSchema>;

/** What the first answer of an origin told about the content. */
export const probedSchema = z.object({
  length: uint.optional(),
  etag: z.string().max(1024).optional(),
  lastModified: z.string().max(64).optional(),
  /** Whether the origin gives ranges with a strong validator; otherwise one stream is read by one host. */
  ranges: z.boolean(),
  audience: audienceSchema,
  mediaType: z.string().max(256).optional(),
  /** Content-Encoding of the bytes, which are kept as they were sent. */
  encoding: z.string().max(64).optional(),
});
export type Probed = z.infer<typeof probedSchema>;
