import type { Verdict } from '../../actors/client/access.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { parseContentRange } from '../../core/ranges.ts';
import { RecentMap } from '../../core/recent-map.ts';
import { strongEtag } from '../../core/source.ts';
import type { RegistryAnswer } from '../../origins/registry/registry.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';
import { type OciCode, Refusal, refusedError, type Wanted } from './oci-error.ts';

/** What a registry said of something it has. */
export interface UpstreamFacts {
  readonly length: number | undefined;
  readonly mediaType: string | undefined;
  readonly etag: string | undefined;
}

const MOST_FACTS = 10_000;

/** Asks upstreams whether a client may have what it wants, and keeps what they say of it. */
export class Proofs {
  readonly #world: Pick<MirrorWorld, 'registry' | 'access' | 'limits'>;
  readonly #facts = new RecentMap<string, UpstreamFacts>(MOST_FACTS);

  constructor(world: Pick<MirrorWorld, 'registry' | 'access' | 'limits'>) {
    this.#world = world;
  }

  /** Resolves where the client may have what is at this path. @throws the refusal, ERR_SOURCE_* where nobody answers */
  async prove(ask: Ask, path: string, wasOpen: boolean): Promise<void> {
    const content = `${ask.base}${path}`;
    const claimant = { content, credential: ask.authorization, wasOpen };
    await this.#world.access.prove(claimant, async () => {
      try {
        const answer = await this.head(ask, path);
        this.keep(ask, path, answer);
        return verdictOf(answer, ask.wanted);
      } catch (error) {
        return failureVerdict(error);
      }
    });
  }

  /** An answer that was had otherwise counts as a proof like any other. */
  async proven(ask: Ask, path: string, answer: RegistryAnswer): Promise<void> {
    this.keep(ask, path, answer);
    const claimant = { content: `${ask.base}${path}`, credential: ask.authorization, wasOpen: false };
    await this.#world.access.prove(claimant, async () => verdictOf(answer, ask.wanted));
  }

  /** What the manifest at `path` names is in its repository: who may have the one may have the other. */
  vouch(ask: Ask, path: string, paths: readonly string[]): void {
    const contents = paths.map((named) => `${ask.base}${named}`);
    this.#world.access.vouch({ content: `${ask.base}${path}`, credential: ask.authorization }, contents);
  }

  /** What the upstream said of it; asked now where nothing is remembered. @throws the refusal, ERR_SOURCE_* */
  async facts(ask: Ask, path: string): Promise<UpstreamFacts> {
    const known = this.#facts.get(`${ask.base}${path}`);
    if (known !== undefined) return known;
    const answer = await this.head(ask, path);
    const verdict = verdictOf(answer, ask.wanted);
    if (verdict.kind !== 'allowed') throw verdict.error;
    return this.keep(ask, path, answer);
  }

  remembered(ask: Ask, path: string): UpstreamFacts | undefined {
    return this.#facts.get(`${ask.base}${path}`);
  }

  /** HEAD, or the first byte where a registry gives no HEAD. @throws ERR_SOURCE_* */
  async head(ask: Ask, path: string): Promise<RegistryAnswer> {
    const { base, authorization, accept, via } = ask;
    const headers = { via, ...(accept !== undefined && { accept }) };
    const request = { base, path, authorization, headers };
    const signal = AbortSignal.timeout(this.#world.limits.askMs);
    const answer = await this.#world.registry.ask({ ...request, method: 'HEAD' }, signal);
    if (answer.status !== 405 && answer.status !== 501) return answer;
    const range = ask.wanted === 'blob' ? { range: 'bytes=0-0' } : {};
    return this.#world.registry.ask({ ...request, headers: { ...headers, ...range }, method: 'GET' }, signal);
  }

  keep(ask: Ask, path: string, answer: RegistryAnswer): UpstreamFacts {
    const { status, headers } = answer;
    const length =
      status === 206
        ? parseContentRange(headers['content-range'])?.total
        : lengthOf(headers['content-length']);
    const facts = { length, mediaType: headers['content-type'], etag: strongEtag(headers['etag']) };
    if (status >= 200 && status < 300) this.#facts.set(`${ask.base}${path}`, facts);
    return facts;
  }
}

function lengthOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/** What an answer of a registry means for the one who asked. */
export function verdictOf(answer: RegistryAnswer, wanted: Wanted): Verdict {
  const { status } = answer;
  if (status >= 200 && status < 300) return { kind: 'allowed', open: answer.as === 'anonymous' };
  if (status === 429 || status >= 500 || status < 400) {
    const message = `the registry answers ${status}`;
    return {
      kind: 'unreachable',
      error: new ShoalError('ERR_SOURCE_UNAVAILABLE', message, { details: { status } }),
    };
  }
  return { kind: 'refused', error: refusedError(upstreamRefusal(answer, wanted)) };
}

function failureVerdict(thrown: unknown): Verdict {
  const error = toShoalError(thrown);
  if (error.code === 'ERR_SOURCE_ADDRESS_REFUSED') return { kind: 'refused', error };
  if (error.code.startsWith('ERR_SOURCE_')) return { kind: 'unreachable', error };
  const why = new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the registry did not answer in time', {
    cause: thrown,
  });
  return { kind: 'unreachable', error: why };
}

const CODES: Readonly<Record<number, OciCode>> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 451: 'DENIED' };
const UNKNOWN_CODES: Readonly<Record<Wanted, OciCode>> = {
  blob: 'BLOB_UNKNOWN',
  manifest: 'MANIFEST_UNKNOWN',
  other: 'NAME_UNKNOWN',
};

/** What a registry refused, with its challenge and, where it sent one, its own words. */
export function upstreamRefusal(answer: RegistryAnswer, wanted: Wanted): Refusal {
  const { status, headers, body } = answer;
  const challenge = headers['www-authenticate'];
  const code = CODES[status] ?? (status === 404 || status === 410 ? UNKNOWN_CODES[wanted] : 'UNKNOWN');
  const isJson = headers['content-type']?.includes('json') ?? false;
  return new Refusal(status, code, `the registry answers ${status}`, {
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
    ...(isJson && body.length > 0 && body.length <= 64 * 1024 && { body }),
  });
}
