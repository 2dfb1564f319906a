import { z } from 'zod';
import { isTaskId, looksLikeDigest, parseDigest } from './ids.ts';
import { uint, url, wireError } from './message-fields.ts';
import { parseSourceUrl } from './source.ts';

/*
 * A fetch order: what one host is to have in its cache, to keep there, or to give up. The asker sends its items in pages and asks on with no items;
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

export const fetchItemSchema = z.object({
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
    /** `evict`: the host is to give the items up. */
    verb: z.enum(['fetch', 'evict']).optional(),
    /** 0 to 9; those of a higher one are begun first. */
    priority: z.int().min(0).max(9).optional(),
    /** What came is never evicted before this wall-clock ms, or the end of the order; 0: nothing more is kept or done. */
    keepUntilMs: uint.optional(),
    /** Of content that needs the headers of a job: `headers` reads with them, `peers` only takes it from other hosts. */
    lent: z.enum(['headers', 'peers']).optional(),
    /** The order is over: what runs of it stops, and what it keeps is kept no more. */
    end: z.literal(true).optional(),
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

/** scheduler → host: what an image is, or which tags of a repository fit, by digest (`names`); what it is made of (`parts`). */
export const lookUpSchema = z.object({
  op: z.enum(['names', 'parts']),
  jobId,
  /** An image, or one with `*` or `?` in its tag. */
  image: z.string().min(1).max(4096),
  platform: z.string().max(100).optional(),
  /** Parts from this index on. */
  from: z.int().min(0).max(ORDER_ITEMS),
});
export type LookUp = z.infer<typeof lookUpSchema>;

/** host → scheduler. */
export const lookUpReplySchema = z.object({
  images: z.array(z.string().max(4096)).max(512),
  /** Parts in all, and those of this page. */
  total: z.int().min(0).max(ORDER_ITEMS),
  items: z.array(fetchItemSchema).max(ORDER_ITEMS),
});
export type LookUpReply = z.infer<typeof lookUpReplySchema>;

/** The items from an index on that one message carries. */
export function pageOf(items: readonly FetchItem[], from: number): FetchItem[] {
  const page: FetchItem[] = [];
  let bytes = 0;
  for (const item of items.slice(from, from + ORDER_ITEMS)) {
    bytes += ITEM_BYTES + Buffer.byteLength(item.resource) + (item.digest?.length ?? 0);
    if (bytes > ORDER_PAGE_BYTES) break;
    page.push(item);
  }
  return page;
}

/** What an item takes in a message beside its texts, bytes, with room to spare. */
const ITEM_BYTES = 64;
