import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Downloads } from '../../actors/client/downloads.ts';
import type { DownloadRequest, DownloadResult, StreamStart } from '../../core/download.ts';
import { type ShoalError, toShoalError } from '../../core/errors.ts';
import { type ByteRange, formatContentRange, parseRange } from '../../core/ranges.ts';
import { asksWithCredentials } from '../../origins/request-headers.ts';
import { hasBody } from '../framing.ts';
import { BODY_BUFFERS, type Chunks, giveBody, nextWithin } from '../mirror/give-body.ts';
import { type AdmissionWorld, admission } from './admission.ts';
import { credentialHeaders } from './headers.ts';
import type { ForwardLimits } from './limits.ts';
import type { Target } from './target.ts';

/** What giving content of the swarm needs. */
export interface SwarmWorld extends AdmissionWorld {
  readonly downloads: Pick<Downloads, 'stream'>;
  /** Name of this host in Via headers. */
  readonly via: string;
  readonly limits: Pick<ForwardLimits, 'swarmFirstByteMs' | 'stallMs'>;
}

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
const BLOB = /^\/v2\/.+\/blobs\/(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/**
 * Whether the swarm could answer a request as its origin would: the content as it is, with no condition that the
 * origin alone can judge, and no wish for another form of it.
 */
export function fitsSwarm(request: IncomingMessage): boolean {
  const { headers } = request;
  if (hasBody(request) || CONDITIONS.some((name) => headers[name] !== undefined)) return false;
  if (headers.range !== undefined && !ONE_RANGE.test(headers.range.trim())) return false;
  // Another daemon asks: none of ours may wait for it.
  if (/(^|,)\s*\S+\s+shoal-/.test(headers.via ?? '')) return false;
  // apt asks for `text/*` where a file has no ending, whatever it is.
  const { accept = '*/*' } = headers;
  return /\*\/\*|application\/octet-stream|^text\/\*$/.test(accept);
}

/** The digest that a URL names, where it is that of a registry's blob. */
function digestIn({ pathname }: URL): string | undefined {
  return BLOB.exec(pathname)?.[1];
}

/** Answers from the swarm; declines where it fails before the first byte. `isHead` gives the headers alone. */
export async function giveFromSwarm(
  world: SwarmWorld,
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
  how: { readonly isHead: boolean; readonly filteredQuery: readonly string[] },
  onSent: (bytes: number) => void,
): Promise<SwarmEnd | Declined> {
  const { isHead, filteredQuery } = how;
  const gone = new AbortController();
  const onClose = () => gone.abort(new Error('the client went away'));
  response.once('close', onClose);
  const url = target.url.href;
  const headers = credentialHeaders(request);
  const digest = digestIn(target.url);
  const checked = digest !== undefined || asksWithCredentials(target.url, {});
  const wanted: DownloadRequest = {
    resource: url,
    digest,
    headers,
    noOrigin: false,
    maxStaleMs: 0,
    filteredQuery,
    range: isHead ? { start: 0, end: 1 } : rangeOf(request.headers.range),
    admit: checked ? admission(world, { url, headers }, gone.signal) : undefined,
  };
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
  const chunks: Chunks = world.downloads.stream(wanted, hooks, gone.signal);
  let status = 0;
  let bytes = 0;
  try {
    const first = await nextWithin(chunks, world.limits.swarmFirstByteMs);
    if (start === undefined) throw new Error('a stream that did not say what it gives');
    gone.signal.throwIfAborted();
    status = writeHead(
      response,
      start,
      world.via,
      isHead ? 'head' : 'body',
      request.headers.range !== undefined,
    );
    if (isHead) {
      response.end();
      // The one byte asked for is there: to hear the end tells a range given from a client gone.
      await nextWithin(chunks, world.limits.stallMs);
      return { status, bytes, start };
    }
    const { range } = start;
    const length = range.end === undefined ? undefined : range.end - range.start;
    await giveBody({
      response,
      first,
      chunks,
      length,
      stallMs: world.limits.stallMs,
      signal: gone.signal,
      onSent: (count) => {
        bytes += count;
        onSent(count);
      },
    });
    return { status, bytes, start, result };
  } catch (error) {
    if (status > 0 && start !== undefined) return { status, bytes, start, error };
    return { declined: toShoalError(error) };
  } finally {
    response.off('close', onClose);
    // A download that nobody reads any more is given up.
    gone.abort(new Error('the answer is over'));
  }
}

function rangeOf(header: string | undefined): DownloadRequest['range'] {
  if (header === undefined) return undefined;
  return (length): ByteRange => {
    const range = parseRange(header, length);
    if (range === 'whole') return { start: 0, end: length };
    return range === 'unsatisfiable' ? { start: length, end: length + 1 } : range;
  };
}

function writeHead(
  response: ServerResponse,
  start: StreamStart,
  via: string,
  form: 'head' | 'body',
  ranged: boolean,
): number {
  const { length, range, taskId, from, mediaType, etag } = start;
  const partial = form === 'body' && ranged && length !== undefined && range.end !== undefined;
  const bytes = form === 'head' ? length : range.end === undefined ? undefined : range.end - range.start;
  const status = partial ? 206 : 200;
  response.writeHead(status, {
    'content-type': mediaType ?? 'application/octet-stream',
    ...(bytes !== undefined && { 'content-length': bytes }),
    ...(length !== undefined && { 'accept-ranges': 'bytes' }),
    ...(partial && {
      'content-range': formatContentRange({ start: range.start, end: range.end, total: length }),
    }),
    ...(etag !== undefined && { etag }),
    via: `1.1 ${via}`,
    'x-shoal-from': from,
    'x-shoal-task': taskId,
  });
  return status;
}
