import { ShoalError } from '../core/errors.ts';
import type { ByteRange } from '../core/ranges.ts';
import { strongEtag, type Validator } from '../core/source.ts';
import { type FollowedAnswer, follow } from './follow.ts';
import { PROGRESS_BYTES } from './limits.ts';
import { pumpBody } from './open-body.ts';
import type { OriginRequest, OriginSink } from './origin.ts';
import { protocolError, rangeless, statusError } from './origin-error.ts';
import type { OriginReader } from './probe.ts';
import { contentLength, contentRange, lastModified } from './read-headers.ts';
import type { OwnHeaders } from './request-headers.ts';
import { RetryBudget } from './retry.ts';

type ReadRequest = OriginRequest & {
  readonly range: ByteRange;
  readonly expect: Validator & { readonly length: number | undefined };
  readonly partsOnly?: boolean;
};

/** Reads a range, going on after the last byte when the connection is cut. @throws ERR_SOURCE_*, ERR_TASK_CHANGED */
export async function readOrigin(
  reader: OriginReader,
  request: ReadRequest,
  sink: OriginSink,
  signal: AbortSignal,
): Promise<void> {
  const { range } = request;
  const budget = new RetryBudget(reader.limits, reader.clock, reader.random);
  let at = range.start;
  let marked = at;
  const counted: OriginSink = (chunk) => {
    at += chunk.length;
    if (at - marked >= PROGRESS_BYTES) {
      marked = at;
      budget.progressed();
    }
    return sink(chunk);
  };
  // Without an end the stream says where it ends.
  const open = range.end >= Number.MAX_SAFE_INTEGER;
  while (at < range.end) {
    const from = at;
    try {
      await attempt(reader, request, from, counted, signal);
      if (open) return;
      if (at === from) throw new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the origin sent an empty range');
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      await budget.next(error, signal);
    }
  }
}

/** One request for what is left. */
async function attempt(
  reader: OriginReader,
  request: ReadRequest,
  at: number,
  sink: OriginSink,
  signal: AbortSignal,
): Promise<void> {
  const { range, expect } = request;
  const end = range.end >= Number.MAX_SAFE_INTEGER ? undefined : range.end;
  const own: OwnHeaders = {};
  if (at > 0 || end !== undefined) own.range = `bytes=${at}-${end === undefined ? '' : end - 1}`;
  // No If-Range: some answer an ETag there with the whole, every time. Each 206 is held against `expect` instead.
  const answer = await follow(reader, request, own, signal);
  try {
    if (answer.status === 206 && own.range !== undefined) {
      const got = contentRange(answer, at, end);
      checkSame(answer, expect, got.total);
      await pumpBody(answer, got.end - got.start, sink, signal);
      return;
    }
    if (answer.status === 416) throw changed(answer, 'no longer has these bytes');
    if (answer.status !== 200 && answer.status !== 203) throw refusal(answer);
    const length = contentLength(answer);
    checkSame(answer, expect, length ?? expect.length);
    const isPart = at > 0 || (end !== undefined && end !== length);
    if (request.partsOnly && isPart && at === range.start)
      throw rangeless(`${answer.url.host} gives no ranges`, answer.status);
    await pumpWhole(answer, { at, start: range.start, end, length, etag: expect.etag }, sink, signal);
  } catch (error) {
    answer.discard();
    throw error;
  }
}

/** The whole came in place of a range: what is wanted of it is taken, if that can be the same content. */
async function pumpWhole(
  answer: FollowedAnswer,
  want: {
    readonly at: number;
    readonly start: number;
    readonly end: number | undefined;
    readonly length: number | undefined;
    readonly etag: string | undefined;
  },
  sink: OriginSink,
  signal: AbortSignal,
): Promise<void> {
  if (want.at > 0 && want.etag === undefined) {
    // Two reads of content without a strong validator cannot be put together.
    if (want.at === want.start) throw rangeless(`${answer.url.host} gives no ranges`, answer.status);
    throw rangeless(`${answer.url.host} broke off and gives no ranges to go on by`, answer.status);
  }
  let skip = want.at;
  const skipping: OriginSink = (chunk) => {
    if (skip >= chunk.length) {
      skip -= chunk.length;
      return;
    }
    const rest = skip === 0 ? chunk : chunk.subarray(skip);
    skip = 0;
    return sink(rest);
  };
  const most = want.end !== undefined && want.end !== want.length ? want.end : undefined;
  await pumpBody(answer, want.length, skipping, signal, most);
}

function checkSame(answer: FollowedAnswer, expect: ReadRequest['expect'], length: number | undefined): void {
  if (expect.etag !== undefined) {
    if (strongEtag(answer.headers.etag) !== expect.etag) throw changed(answer, 'sends another ETag');
  } else if (expect.lastModified !== undefined && lastModified(answer.headers) !== expect.lastModified) {
    throw changed(answer, 'sends another Last-Modified');
  }
  if (expect.length !== undefined && length !== expect.length) throw changed(answer, 'tells another length');
}

function changed(answer: FollowedAnswer, what: string): ShoalError {
  return new ShoalError('ERR_TASK_CHANGED', `${answer.url.host} ${what}: the content was replaced`, {
    details: { status: answer.status },
  });
}

function refusal(answer: FollowedAnswer): ShoalError {
  if (answer.status < 400)
    return protocolError(answer.url, `answers a GET with ${answer.status}`, answer.status);
  return statusError(answer.status, answer.headers, answer.url);
}
