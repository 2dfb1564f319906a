import type { ClaimVerdict, ContentFacts, RegistryQuestion } from '../../core/claim.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { parseContentRange } from '../../core/ranges.ts';
import { strongEtag } from '../../core/source.ts';
import type { RegistryAnswer, RegistryClient } from '../../origins/registry/registry.ts';

/** A refusal's own words are kept only where they are short. */
const MOST_WORDS = 64 * 1024;

/** A registry let a client not in, or not now, in its own words. */
export class RefusedByRegistry extends ShoalError {
  readonly answer: Pick<RegistryAnswer, 'status' | 'headers' | 'body'>;

  constructor({ status, headers, body }: RegistryAnswer) {
    super(
      status === 429 ? 'ERR_SOURCE_UNAVAILABLE' : 'ERR_SOURCE_REFUSED',
      `the registry answers ${status}`,
      { details: { status } },
    );
    this.answer = { status, headers, body: body.length > MOST_WORDS ? new Uint8Array() : body };
  }
}

/**
 * HEAD, or the first byte where HEAD is refused: by the registry, by a storage whose URLs are signed for GET alone, or in
 * words that only a GET is told. @throws ERR_SOURCE_*
 */
export async function headOf(
  registry: RegistryClient,
  { base, path, authorization, headers }: RegistryQuestion,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  const request = { base, path, authorization, headers };
  const answer = await registry.ask({ ...request, method: 'HEAD' }, signal);
  // A challenge is the registry's own, and the same for every method.
  const isChallenged = answer.status === 401 && answer.headers['www-authenticate'] !== undefined;
  if (answer.status < 400 || isChallenged) return answer;
  const range = /\/blobs\/[^/]+$/.test(path) ? { range: 'bytes=0-0' } : {};
  return registry.ask({ ...request, headers: { ...headers, ...range }, method: 'GET' }, signal);
}

/** What an answer of a registry means for the one who asked. */
export function verdictOf(answer: RegistryAnswer): ClaimVerdict {
  const { status } = answer;
  if (status >= 200 && status < 300) {
    return { kind: 'allowed', open: answer.as === 'anonymous', facts: factsOf(answer) };
  }
  if (status === 429) return { kind: 'unreachable', error: new RefusedByRegistry(answer) };
  if (status >= 500 || status < 400) {
    const message = `the registry answers ${status}`;
    return {
      kind: 'unreachable',
      error: new ShoalError('ERR_SOURCE_UNAVAILABLE', message, { details: { status } }),
    };
  }
  return { kind: 'refused', error: new RefusedByRegistry(answer) };
}

/** What it means that a registry gave no answer. */
export function verdictOfFailure(thrown: unknown): ClaimVerdict {
  const error = toShoalError(thrown);
  if (error.code === 'ERR_SOURCE_ADDRESS_REFUSED') return { kind: 'refused', error };
  if (error.code.startsWith('ERR_SOURCE_')) return { kind: 'unreachable', error };
  const why = new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the registry did not answer in time', {
    cause: thrown,
  });
  return { kind: 'unreachable', error: why };
}

function factsOf({ status, headers }: RegistryAnswer): ContentFacts {
  const length =
    status === 206 ? parseContentRange(headers['content-range'])?.total : lengthOf(headers['content-length']);
  return { length, mediaType: headers['content-type'], etag: strongEtag(headers['etag']) };
}

function lengthOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
