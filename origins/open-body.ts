import { ShoalError } from '../core/errors.ts';
import { SinkError } from './exchange.ts';
import type { FollowedAnswer } from './follow.ts';
import type { OpenBody, OriginSink } from './origin.ts';
import { connectionError, protocolError } from './origin-error.ts';

const NEVER = new AbortController().signal;

/** The body of an answer whose first byte has offset `start`, and which must end at `end` where that is known. */
export function bodyOf(answer: FollowedAnswer, start: number, end: number | undefined): OpenBody {
  return {
    start,
    end,
    pump: (sink, signal) => pumpBody(answer, end === undefined ? undefined : end - start, sink, signal),
    discard: () => void (end === start + 1 ? drain(answer, NEVER) : answer.discard()),
  };
}

/** Of content without bytes. */
export function emptyBody(): OpenBody {
  return { start: 0, end: 0, pump: async () => 0, discard() {} };
}

/**
 * Passes a body on and checks that it has `expected` bytes. Errors of the sink and of the signal pass as they are.
 * @param most Stops after this many bytes, for an answer that has more than is wanted.
 * @throws ERR_SOURCE_UNAVAILABLE where it is cut, ERR_SOURCE_PROTOCOL where it is too long
 */
export async function pumpBody(
  answer: FollowedAnswer,
  expected: number | undefined,
  sink: OriginSink,
  signal: AbortSignal,
  most?: number,
): Promise<number> {
  let bytes = 0;
  const counted: OriginSink = (chunk) => {
    bytes += chunk.length;
    if (expected !== undefined && bytes > expected) {
      throw protocolError(answer.url, 'sends more bytes than it said', answer.status);
    }
    return sink(chunk);
  };
  try {
    await answer.pump(counted, signal, most);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof SinkError) throw error.cause;
    throw connectionError(error, answer.url);
  }
  const wanted = most === undefined ? expected : Math.min(most, expected ?? most);
  if (wanted !== undefined && bytes < wanted) {
    throw new ShoalError('ERR_SOURCE_UNAVAILABLE', `${answer.url.host} sent ${bytes} bytes of ${wanted}`, {
      details: { reason: 'short' },
    });
  }
  return bytes;
}

const DRAINED_BYTES = 64 * 1024;

/** Takes what an answer has left, so that its connection can be used again; one with much left is closed. */
export async function drain(answer: FollowedAnswer, signal: AbortSignal): Promise<void> {
  await answer.pump(() => undefined, signal, DRAINED_BYTES).catch(() => answer.discard());
}
