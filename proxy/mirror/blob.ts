import { type Digest, taskIdOfDigest } from '../../core/ids.ts';
import { formatContentRange } from '../../core/ranges.ts';
import { BODY_BUFFERS, giveBody, nextWithin } from '../give-body.ts';
import { claimOf } from './claim.ts';
import { type ContentStart, cachedFor, oneRange, openContent } from './content.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';
import { warnOf } from './warning.ts';

interface Wanted {
  readonly path: string;
  readonly digest: Digest;
}

/** Answers GET and HEAD of a blob. @throws any ShoalError or OciRefusal, before the first byte or after the connection was cut */
export async function giveBlob(world: MirrorWorld, ask: Ask, wanted: Wanted): Promise<void> {
  const { 'if-none-match': known } = ask.request.headers;
  const isKnown = matches(known, `"${wanted.digest}"`);
  if (ask.isHead || isKnown) return giveHead(world, ask, wanted, isKnown);
  return giveBytes(world, ask, wanted);
}

async function giveHead(
  world: MirrorWorld,
  ask: Ask,
  { path, digest }: Wanted,
  isKnown: boolean,
): Promise<void> {
  const { admission } = world;
  const claim = claimOf(world, ask, path);
  const cached = await cachedFor(world, ask, { path, digest });
  const known = cached?.isPublic === true ? { wasOpen: true } : { wasOpen: false, isOwn: true as const };
  await admission.prove(claim, known, ask.signal);
  setHeaders(ask, digest, cached === undefined ? 'upstream' : 'cache');
  if (isKnown) return void ask.response.writeHead(304).end();
  const length = cached?.length ?? (await admission.askFacts(claim, ask.signal)).length;
  if (length !== undefined) ask.response.setHeader('content-length', length);
  ask.response.writeHead(200, { 'content-type': 'application/octet-stream' }).end();
}

async function giveBytes(world: MirrorWorld, ask: Ask, { path, digest }: Wanted): Promise<void> {
  const { response } = ask;
  const { 'if-range': same, range } = ask.request.headers;
  const isSame = same === undefined || same === `"${digest}"`;
  const wanted = { path, digest, range: isSame ? oneRange(range) : undefined, buffers: BODY_BUFFERS };
  const stop = new AbortController();
  const signal = AbortSignal.any([ask.signal, stop.signal]);
  try {
    const busyness = { received: world.received, busyMs: world.limits.busyMs };
    const askedMs = world.clock.now();
    const { chunks, started } = await openContent(world, ask, wanted, signal);
    const first = await nextWithin(chunks, world.limits.firstByteMs, busyness);
    const start = started();
    const length = start.range.end === undefined ? undefined : start.range.end - start.range.start;
    setHeaders(ask, digest, start.from);
    warnOf(ask, start, world.clock.now() - askedMs);
    writeHead(ask, start, wanted.range !== undefined, length);
    const onSent = (bytes: number) => {
      world.metrics.proxySent(bytes);
      ask.pull?.sent(bytes);
    };
    const { stallMs } = world.limits;
    await giveBody({ response, first, chunks, length, stallMs, busyness, onSent, signal });
    ask.pull?.blob(digest);
  } finally {
    stop.abort(new Error('the answer is over'));
  }
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => part.trim().replace(/^W\//, '') === etag);
}

function setHeaders({ response }: Ask, digest: Digest, from: ContentStart['from']): void {
  response.setHeader('docker-content-digest', digest);
  response.setHeader('etag', `"${digest}"`);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('x-shoal-task', taskIdOfDigest(digest));
  response.setHeader('x-shoal-from', from);
}

function writeHead(ask: Ask, start: ContentStart, isRange: boolean, length: number | undefined): void {
  const { response } = ask;
  response.setHeader('content-type', 'application/octet-stream');
  if (length !== undefined) response.setHeader('content-length', length);
  const { range } = start;
  if (!isRange || range.end === undefined) return void response.writeHead(200);
  const given = { start: range.start, end: range.end, total: start.length };
  response.writeHead(206, { 'content-range': formatContentRange(given) });
}
