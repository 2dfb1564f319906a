import { z } from 'zod';
import { isTaskId, looksLikeDigest, parseDigest } from './ids.ts';
import { uint, url, wireError } from './message-fields.ts';
import { parseSourceUrl } from './source.ts';

/*
 * A fetch order: what one host is to have in its cache. The asker sends its items in pages and asks on with no items;
 * the answer says how many are known, so that a lost message, or a daemon that was born again, only makes it send them
 * again. Credentials never travel: a host reads with what it was configured with.
 */

/** Items of one order at most. */
export const ORDER_ITEMS = 4096;
/** Bytes of items in one message at most. */
export const ORDER_PAGE_BYTES = 128 * 1024;
/** States in one answer at most. */
export const ORDER_STATES = 128;
/** Characters of an error's message in an answer at most. */
export const ORDER_ERROR_CHARS = 300;

/** A URL without user-info, a digest or a task id. */
function isFetchable(text: string): boolean {
  if (isTaskId(text)) return true;
  try {
    if (looksLikeDigest(text)) return parseDigest(text) === text;
    return parseSourceUrl(text).userInfo === undefined;
  } catch {
    return false;
  }
}

const jobId = z.string().regex(/^[0-9a-f]{32}$/, 'not a job id');
const digest = z.string().regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, 'not a digest');

const fetchItemSchema = z.object({
  resource: url.refine(isFetchable, 'not a URL without credentials, nor a digest, nor a task id'),
  digest: digest.optional(),
});
export type FetchItem = z.infer<typeof fetchItemSchema>;

/** asker → host: the items from index `from` on; none: a question alone. */
export const fetchOrderSchema = z
  .object({
    jobId,
    /** Items in all. */
    total: z.int().min(1).max(ORDER_ITEMS),
    from: z.int().min(0).max(ORDER_ITEMS),
    items: z.array(fetchItemSchema).max(ORDER_ITEMS),
    /** Answer with the states of items from this index on. */
    statesFrom: z.int().min(0).max(ORDER_ITEMS).optional(),
  })
  .refine(({ total, from, items }) => from + items.length <= total, 'more items than there are in all');
export type FetchOrder = z.infer<typeof fetchOrderSchema>;

const bytesBySource = z.object({ origin: uint, peers: uint, local: uint });

const itemStateSchema = z.object({
  state: z.enum(['waiting', 'running', 'done', 'failed']),
  /** Bytes; absent while unknown. */
  length: uint.optional(),
  doneBytes: uint,
  bytes: bytesBySource,
  error: wireError.optional(),
});
export type FetchItemState = z.infer<typeof itemStateSchema>;

/** host → asker. */
export const fetchReplySchema = z.object({
  /** Items the host knows of, from the first on without a gap; 0 where it does not know the order. */
  known: z.int().min(0).max(ORDER_ITEMS),
  done: uint,
  failed: uint,
  /** Sum of the lengths that are known. */
  length: uint,
  doneBytes: uint,
  bytes: bytesBySource,
  states: z.array(itemStateSchema).max(ORDER_STATES),
});
export type FetchReply = z.infer<typeof fetchReplySchema>;
