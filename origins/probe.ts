import type { Clock, Random } from '../core/clock.ts';
import type { Probed } from '../core/probed.ts';
import { strongEtag, type Validator } from '../core/source.ts';
import { type FollowedAnswer, type Follower, follow } from './follow.ts';
import type { OriginLimits } from './limits.ts';
import { bodyOf, drain, emptyBody } from './open-body.ts';
import type { OriginRequest, ProbeAnswer } from './origin.ts';
import { isPassing, protocolError, statusError } from './origin-error.ts';
import { contentEncoding, contentLength, contentRange, lastModified } from './read-headers.ts';
import { asksWithCredentials, type OwnHeaders } from './request-headers.ts';
import { RetryBudget } from './retry.ts';

/** What reading an origin needs. */
export interface OriginReader extends Follower {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: OriginLimits;
}

type ProbeRequest = OriginRequest & {
  readonly known?: Validator | undefined;
  readonly prefixBytes: number;
};

/** The first answer of an origin, after as many attempts as the budget allows. @throws ERR_SOURCE_* */
export async function probeOrigin(
  reader: OriginReader,
  request: ProbeRequest,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const budget = new RetryBudget(reader.limits, reader.clock, reader.random);
  for (;;) {
    try {
      return (await ask(reader, request, true, signal)) ?? (await askPlain(reader, request, signal));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      await budget.next(error, signal);
    }
  }
}

/** Without a Range, for origins that cannot answer one in a way that tells the length. */
async function askPlain(
  reader: OriginReader,
  request: ProbeRequest,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const answer = await ask(reader, request, false, signal);
  if (answer !== undefined) return answer;
  throw protocolError(new URL(request.url), 'answers a request for the whole with a range', 206);
}

/** Undefined where the answer to a range tells too little. */
async function ask(
  reader: OriginReader,
  request: ProbeRequest,
  ranged: boolean,
  signal: AbortSignal,
): Promise<ProbeAnswer | undefined> {
  const own: OwnHeaders = {};
  const end = prefixEnd(request);
  if (ranged) own.range = `bytes=0-${end === undefined ? '' : end - 1}`;
  const { known } = request;
  if (known?.etag !== undefined) own['if-none-match'] = known.etag;
  else if (known?.lastModified !== undefined) own['if-modified-since'] = known.lastModified;
  const answer = await follow(reader, request, own, signal);
  try {
    const probe = interpret(answer, request, ranged);
    if (probe?.kind === 'unchanged') await drain(answer, signal);
    else if (probe === undefined) answer.discard();
    return probe;
  } catch (error) {
    answer.discard();
    throw error;
  }
}

/** Where the prefix ends; undefined where all is asked for. */
function prefixEnd({ prefixBytes }: ProbeRequest): number | undefined {
  return prefixBytes >= Number.MAX_SAFE_INTEGER ? undefined : Math.max(1, Math.floor(prefixBytes));
}

function interpret(answer: FollowedAnswer, request: ProbeRequest, ranged: boolean): ProbeAnswer | undefined {
  const { status, headers, url } = answer;
  if (status === 304 && (request.known?.etag ?? request.known?.lastModified) !== undefined) {
    return { kind: 'unchanged' };
  }
  if (status === 416 && ranged) {
    if (headers['content-range']?.trim() !== 'bytes */0') return undefined;
    answer.discard();
    return { kind: 'content', probed: probedOf(answer, request, 0, false), body: emptyBody() };
  }
  if (status >= 400 || isPassing(status)) throw statusError(status, headers, url);
  if (status === 206) {
    if (!ranged) return undefined;
    if (/\/\*\s*$/.test(headers['content-range'] ?? '')) return undefined;
    const range = contentRange(answer, 0, prefixEnd(request));
    // All was asked for: a part of it, as some give no more at once, is no one stream.
    if (prefixEnd(request) === undefined && range.end !== range.total) return undefined;
    return {
      kind: 'content',
      probed: probedOf(answer, request, range.total, true),
      body: bodyOf(answer, range.start, range.end),
    };
  }
  if (status === 204) {
    answer.discard();
    return { kind: 'content', probed: probedOf(answer, request, 0, false), body: emptyBody() };
  }
  if (status !== 200 && status !== 203) throw protocolError(url, `answers a GET with ${status}`, status);
  const length = contentLength(answer);
  return {
    kind: 'content',
    probed: probedOf(answer, request, length, false),
    body: bodyOf(answer, 0, length),
  };
}

function probedOf(
  answer: FollowedAnswer,
  request: ProbeRequest,
  length: number | undefined,
  ranges: boolean,
): Probed {
  const etag = strongEtag(answer.headers.etag);
  const mediaType = answer.headers['content-type'];
  return {
    length,
    etag: etag !== undefined && etag.length <= 1024 ? etag : undefined,
    lastModified: lastModified(answer.headers),
    ranges,
    audience: asksWithCredentials(new URL(request.url), request.headers) ? 'source' : 'public',
    mediaType: mediaType !== undefined && mediaType.length <= 256 ? mediaType : undefined,
    encoding: contentEncoding(answer),
  };
}
