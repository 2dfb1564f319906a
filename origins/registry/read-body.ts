import { ShoalError } from '../../core/errors.ts';
import type { FollowedAnswer } from '../follow.ts';
import { pumpBody } from '../open-body.ts';
import { protocolError } from '../origin-error.ts';
import { contentLength, refuseEncoded } from '../read-headers.ts';

/**
 * The whole body of an answer, `most` bytes at most.
 * @throws ERR_SOURCE_PROTOCOL where it is longer or encoded, ERR_SOURCE_UNAVAILABLE where it is cut
 */
export async function readBody(
  answer: FollowedAnswer,
  most: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const tooLong = () => protocolError(answer.url, `sends more than ${most} bytes`, answer.status);
  try {
    refuseEncoded(answer);
    const length = contentLength(answer);
    if (length !== undefined && length > most) throw tooLong();
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    await pumpBody(
      answer,
      length,
      (chunk) => {
        bytes += chunk.length;
        if (bytes > most) throw tooLong();
        chunks.push(Uint8Array.from(chunk));
      },
      signal,
    );
    return Buffer.concat(chunks);
  } catch (error) {
    answer.discard();
    throw error;
  }
}

/** The signal's reason as an error of the source: nothing came in time. */
export function lateError(url: URL, cause: unknown): ShoalError {
  return new ShoalError('ERR_SOURCE_UNAVAILABLE', `${url.host} did not answer in time`, { cause });
}
