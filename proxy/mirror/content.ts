import { actualRange } from '../../actors/client/reader.ts';
import type { BufferPool } from '../../core/buffer-pool.ts';
import type { ActualRange, DownloadRequest, DownloadResult, StreamStart } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import { type Digest, taskIdAt, taskIdOfDigest } from '../../core/ids.ts';
import { parseRange } from '../../core/ranges.ts';
import { isReadAt, placeFor } from '../../origins/place.ts';
import type { Chunks } from '../give-body.ts';
import { claimOf } from './claim.ts';
import type { Ask, CachedFacts, MirrorWorld } from './mirror-world.ts';
import { sinkChunks } from './sink-chunks.ts';

/** Where content comes from, as `X-Shoal-From` says it. */
type From = StreamStart['from'] | 'upstream';

/** Content on its way to a client. */
export interface Content {
  readonly chunks: Chunks;
  /** What was told of it; there once the first chunk is, or the end of what is empty. */
  started(): ContentStart;
}

/** What is known of content when its first byte is there. */
export interface ContentStart {
  /** Bytes of the whole. */
  readonly length: number | undefined;
  readonly range: ActualRange;
  readonly mediaType: string | undefined;
  readonly from: From;
  /** Why the registry is being read for it, where it is. */
  readonly originReason?: StreamStart['originReason'];
}

interface Wanted {
  readonly path: string;
  readonly digest: Digest;
  /** A Range header that names one range; absent for the whole. */
  readonly range: string | undefined;
  /** @see StreamHooks.buffers */
  readonly buffers?: BufferPool;
}

/** The Range header where it asks for one range in a way that is understood; all others mean the whole. */
export function oneRange(header: string | undefined): string | undefined {
  return parseRange(header, Number.MAX_SAFE_INTEGER) === 'whole' ? undefined : header;
}

/**
 * Opens content for a client: from the cache and the swarm; for another daemon from the cache, else straight from the
 * upstream. The client's right to it is proven beside, and no chunk comes before.
 */
export async function openContent(
  world: MirrorWorld,
  ask: Ask,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Content> {
  if (ask.fromShoal && (await cachedFor(world, ask, wanted)) === undefined) {
    return passContent(world, ask, wanted, signal);
  }
  const { path, digest, range, buffers } = wanted;
  let start: ContentStart | undefined;
  const hooks = {
    onStart: (told: StreamStart) => {
      start = told;
    },
    onResult: (result: DownloadResult) => ask.pull?.came(digest, result),
    ...(buffers !== undefined && { buffers }),
  };
  const request: DownloadRequest = {
    resource: `${ask.base}${path}`,
    digest,
    headers: ask.authorization === undefined ? {} : { authorization: ask.authorization },
    noOrigin: ask.fromShoal,
    maxStaleMs: 0,
    range,
    claim: claimOf(world, ask, path),
  };
  const chunks = world.downloads.stream(request, hooks, signal);
  return { chunks, started: () => start ?? unstarted() };
}

/** What is here whole, where it is a client's of this registry once that lets it in. */
export async function cachedFor(
  world: MirrorWorld,
  { base, authorization }: Ask,
  { path, digest }: Pick<Wanted, 'path' | 'digest'>,
): Promise<CachedFacts | undefined> {
  const source = { url: `${base}${path}`, credentials: authorization !== undefined };
  const apart = await world.cached(taskIdAt(digest, placeFor(source, digest)));
  if (apart !== undefined) return apart;
  const taskId = taskIdOfDigest(digest);
  const cached = await world.cached(taskId);
  if (cached === undefined || cached.isPublic) return cached;
  return isReadAt({ taskId, home: cached.home }, source) ? cached : undefined;
}

/** Straight from the upstream, under the client's own name. */
async function passContent(
  world: MirrorWorld,
  ask: Ask,
  { path, range }: Wanted,
  signal: AbortSignal,
): Promise<Content> {
  const claim = claimOf(world, ask, path);
  await world.admission.prove(claim, { wasOpen: false }, ask.signal);
  const { length, mediaType, etag } = await world.admission.askFacts(claim, ask.signal);
  if (length === undefined) {
    throw new ShoalError('ERR_SOURCE_PROTOCOL', 'the registry does not say how long its content is');
  }
  const { start, end = length } = actualRange(range, length);
  const bytes = { start, end };
  const headers = {
    ...(ask.cameVia !== undefined && { via: ask.cameVia }),
    ...(ask.authorization !== undefined && { authorization: ask.authorization }),
  };
  const request = { url: `${ask.base}${path}`, headers, range: bytes, expect: { length, etag } };
  const chunks = sinkChunks((sink) => world.origin.read(request, sink, signal));
  return { chunks, started: () => ({ length, range: bytes, mediaType, from: 'upstream' }) };
}

function unstarted(): never {
  throw new ShoalError('ERR_INTERNAL', 'content came without a word on what it is');
}
