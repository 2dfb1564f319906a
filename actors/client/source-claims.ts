import { type Claim, credentialOf, type FirstByteQuestion } from '../../core/claim.ts';
import type { DownloadRequest } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import { parseSourceUrl, type Source } from '../../core/source.ts';
import { isReadAt } from '../../origins/place.ts';
import { namesContent } from '../../origins/registry/target.ts';
import type { TaskRecord } from '../../storage/store.ts';
import { ReadElsewhere } from './read-elsewhere.ts';
import { headersOf } from './target.ts';

/** A source that says nothing for so long cannot be reached, as far as a client can wait, ms. */
const PROOF_MS = 4_000;

/** A claim at a source that is asked for its first byte. */
export interface SourceClaim extends Claim {
  readonly question: FirstByteQuestion;
}

type Asker = Pick<DownloadRequest, 'resource' | 'headers'>;

/** Claims at those that gave content to everybody and can say otherwise at any time: registries. */
export function openClaims(
  asker: Asker,
  { sources, etag }: Pick<TaskRecord, 'sources' | 'etag'>,
): SourceClaim[] {
  const open = sources.filter(({ url, credentials }) => namesContent(url) && !credentials);
  return open.map(({ url }) => claimAt(asker, url, etag));
}

/**
 * The claim at the source that the client names; where it names none, at each where the content was read.
 * @throws ReadElsewhere where it names another than that, ERR_SOURCE_REFUSED where a credential could be meant for several
 */
export function closedClaims(
  asker: Asker,
  record: Pick<TaskRecord, 'taskId' | 'home' | 'sources' | 'etag'>,
): SourceClaim[] {
  const { etag } = record;
  const own = ownSource(asker);
  if (own !== undefined) {
    if (!isReadAt(record, own)) throw new ReadElsewhere();
    return [claimAt(asker, own.url, etag)];
  }
  const urls = record.sources
    .filter((source) => namesContent(source.url) || !source.credentials || speaksTo(asker, source))
    .flatMap((source) => (isReadAt(record, source) ? [source.url] : []));
  const origins = new Set(urls.map((url) => new URL(url).origin));
  if (origins.size > 1 && credentialOf(asker.headers) !== undefined) {
    throw new ShoalError(
      'ERR_SOURCE_REFUSED',
      'the credentials could be meant for several sources: give the URL, and the digest with --digest',
    );
  }
  return urls.map((url) => claimAt(asker, url, etag));
}

/** The claim at the source that the client names; undefined where it names none. */
export function ownClaim(asker: Asker): SourceClaim | undefined {
  const own = ownSource(asker);
  return own === undefined ? undefined : claimAt(asker, own.url, undefined);
}

/** The URL that a request names, and whether it brings credentials for it. */
export function ownSource(asker: Asker): Source | undefined {
  if (!/^https?:/i.test(asker.resource)) return undefined;
  return { url: parseSourceUrl(asker.resource).url, credentials: Object.keys(headersOf(asker)).length > 0 };
}

/** Why nobody could be asked about a client. */
export function ownerless({ headers }: Pick<Asker, 'headers'>): ShoalError {
  return new ShoalError(
    'ERR_SOURCE_REFUSED',
    credentialOf(headers) === undefined
      ? 'this content belongs to its source; no credentials were given'
      : 'this content belongs to its source, and none is known that could let these credentials in',
  );
}

function speaksTo(asker: Asker, { url }: Source): boolean {
  return credentialOf(headersAt(asker, url)) !== undefined;
}

function claimAt(asker: Asker, url: string, etag: string | undefined): SourceClaim {
  const headers = headersAt(asker, url);
  // A registry's answer to a condition does not say whom it was meant for.
  const known = etag === undefined || namesContent(url) ? undefined : { etag };
  const question = { kind: 'first-byte', url, headers, known, limitMs: PROOF_MS } as const;
  return { content: url, credential: credentialOf(headers), question };
}

/** What a client gave for one server goes to no other. */
function headersAt(asker: Asker, url: string): Record<string, string> {
  const own = ownSource(asker);
  const isMeant = own === undefined || new URL(own.url).origin === new URL(url).origin;
  return isMeant ? headersOf(asker) : {};
}
