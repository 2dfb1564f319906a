import type { IncomingMessage } from 'node:http';
import { credentialOf } from '../../core/claim.ts';
import type { DownloadRequest, DownloadResult, StreamStart } from '../../core/download.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { formatContentRange } from '../../core/ranges.ts';
import { canonicalUrl } from '../../core/source.ts';
import { daemonsOf, withHop } from '../../core/via.ts';
import { asksWithCredentials } from '../../origins/request-headers.ts';
import { hasBody } from '../framing.ts';
import { BODY_BUFFERS, type Chunks, giveBody, nextWithin } from '../give-body.ts';
import type { ForwardAsk, ForwardWorld } from './forward-world.ts';
import { credentialHeaders } from './headers.ts';
import type { ForwardLimits } from './limits.ts';

type SwarmWorld = Pick<ForwardWorld, 'downloads' | 'via' | 'metrics'> & {
  readonly limits: Pick<ForwardLimits, 'swarmFirstByteMs' | 'stallMs'>;
};

/** An origin that says nothing of a client for so long is out of reach, ms. */
const ASK_MS = 8_000;

/** How a request ended that the swarm answered. */
export interface SwarmEnd {
  readonly status: number;
  readonly bytes: number;
  readonly start: StreamStart;
  readonly result?: DownloadResult | undefined;
  readonly error?: unknown;
}

/** The swarm gave nothing, and nothing was answered yet. */
export interface Declined {
  readonly declined: ShoalError;
}

const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'];
const ONE_RANGE = /^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/;
const BLOB = /\/v2\/.+\/blobs\/(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * Whether the swarm could answer a request as its origin would: the content as it is, with no condition that the
 * origin alone can judge, and no wish for another form of it.
 */
export function fitsSwarm(request: IncomingMessage): boolean {
  const { headers } = request;
  if (hasBody(request) || CONDITIONS.some((name) => headers[name] !== undefined)) return false;
  if (headers.range !== undefined && !ONE_RANGE.test(headers.range.trim())) return false;
  // Another daemon asks: none of ours may wait for it.
  if (daemonsOf(headers.via).length > 0) return false;
  // apt asks for `text/*` where a file has no ending, whatever it is.
  const { accept = '*/*' } = headers;
  return /\*\/\*|application\/octet-stream|^text\/\*$/.test(accept);
}

/** The digest that a URL names, where it is that of a registry's blob. */
function digestIn({ pathname }: URL): string | undefined {
  return BLOB.exec(pathname)?.[1];
}

/** Answers from the swarm; declines where it fails before the first byte. */
export async function giveFromSwarm(
  world: SwarmWorld,
  ask: ForwardAsk,
  filteredQuery: readonly string[],
): Promise<SwarmEnd | Declined> {
  const { response, isHead } = ask;
  const over = new AbortController();
  const signal = AbortSignal.any([ask.signal, over.signal]);
  let start: StreamStart | undefined;
  let result: DownloadResult | undefined;
  const hooks = {
    onStart: (told: StreamStart) => {
      start = told;
    },
    onResult: (told: DownloadResult) => {
      result = told;
    },
    buffers: BODY_BUFFERS,
  };
  const { stallMs, swarmFirstByteMs } = world.limits;
  const chunks: Chunks = world.downloads.stream(wantedBy(ask, filteredQuery), hooks, signal);
  let status = 0;
  let bytes = 0;
  try {
    const first = await nextWithin(chunks, swarmFirstByteMs);
    if (start === undefined) throw new Error('a stream that did not say what it gives');
    signal.throwIfAborted();
    // Nothing to share, and the origin may say so in another way: by a 204.
    if (start.length === 0) return { declined: new ShoalError('ERR_SOURCE_STATUS', 'there are no bytes') };
    status = writeHead(ask, start, world.via);
    if (isHead) {
      response.end();
      // The one byte asked for is there: to hear the end tells a range given from a client gone.
      await nextWithin(chunks, stallMs);
      return { status, bytes, start };
    }
    const { range } = start;
    const length = range.end === undefined ? undefined : range.end - range.start;
    const onSent = (count: number) => {
      bytes += count;
      world.metrics.proxySent(count);
    };
    await giveBody({ response, first, chunks, length, stallMs, signal, onSent });
    return { status, bytes, start, result };
  } catch (error) {
    if (status > 0 && start !== undefined) return { status, bytes, start, error };
    return { declined: toShoalError(error) };
  } finally {
    // A download that nobody reads any more is given up.
    over.abort(new Error('the answer is over'));
  }
}

/** A HEAD wants the headers alone: they come with the first byte. */
function wantedBy(
  { request, target, isHead }: ForwardAsk,
  filteredQuery: readonly string[],
): DownloadRequest {
  const url = target.url.href;
  const headers = credentialHeaders(request);
  const digest = digestIn(target.url);
  const isSigned = asksWithCredentials(target.url, {});
  // What signs a URL is a credential like any other.
  const credential = isSigned ? `${credentialOf(headers) ?? ''} ${url}` : credentialOf(headers);
  const question = { kind: 'first-byte', url, headers, limitMs: ASK_MS } as const;
  const claim = { content: canonicalUrl(url), credential, question };
  return {
    resource: url,
    digest,
    headers,
    noOrigin: false,
    maxStaleMs: 0,
    filteredQuery,
    range: isHead ? { start: 0, end: 1 } : request.headers.range,
    // Content under its digest, or by a signed URL, is what the client's own source must let it in to.
    claim: digest !== undefined || isSigned ? claim : undefined,
  };
}

function writeHead({ request, response, isHead }: ForwardAsk, start: StreamStart, via: string): number {
  const { length, range, taskId, from, mediaType, encoding, etag } = start;
  const isRanged = request.headers.range !== undefined && !isHead;
  const partial = isRanged && length !== undefined && range.end !== undefined;
  const bytes = isHead ? length : range.end === undefined ? undefined : range.end - range.start;
  const status = partial ? 206 : 200;
  response.writeHead(status, {
    'content-type': mediaType ?? 'application/octet-stream',
    ...(encoding !== undefined && { 'content-encoding': encoding }),
    ...(bytes !== undefined && { 'content-length': bytes }),
    ...(length !== undefined && { 'accept-ranges': 'bytes' }),
    ...(partial && {
      'content-range': formatContentRange({ start: range.start, end: range.end, total: length }),
    }),
    ...(etag !== undefined && { etag }),
    via: withHop(undefined, via),
    'x-shoal-from': from,
    'x-shoal-task': taskId,
  });
  return status;
}
