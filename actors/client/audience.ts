import { ShoalError, toShoalError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';
import { parseSourceUrl, type Source } from '../../core/source.ts';
import type { OriginRequest } from '../../origins/origin.ts';
import type { Store, StoredTask } from '../../storage/store.ts';
import type { HostWorld } from '../host/world.ts';
import type { Access } from './access.ts';
import { askSource } from './ask-source.ts';
import type { Possession } from './possession.ts';
import { isRegistryUrl } from './registry-url.ts';
import { headersOf } from './target.ts';

/** A source that says nothing for so long cannot be reached, as far as a client can wait. */
const PROOF_MS = 4_000;

interface Asker {
  readonly resource: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What remembers who proved what. */
export interface Proofs {
  readonly access: Access;
  readonly possession: Possession;
}

/**
 * Lets a client have content where everybody may, or where one of the content's own sources lets that client in. What
 * is public in a registry is so only as long as the registry says so.
 * @throws ERR_SOURCE_REFUSED, ERR_SOURCE_*
 */
export async function proveAudience(
  world: HostWorld,
  proofs: Proofs,
  stored: StoredTask,
  asker: Asker,
  signal: AbortSignal,
): Promise<void> {
  const { audience, sources, etag } = stored.record;
  const wasOpen = audience === 'public';
  const claims = wasOpen ? openClaims(asker, sources) : closedClaims(asker, sources);
  if (wasOpen && claims.length === 0) return;
  let refusal = ownerless(asker);
  for (const claim of claims) {
    try {
      await proveClaim(world, proofs.access, { ...claim, wasOpen, etag }, signal);
      if (!wasOpen) await proofs.possession.prove(world, stored, claim, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      refusal = toShoalError(error);
    }
  }
  throw refusal;
}

/** Asks the registry that a request names whether it lets the client in, so that the answer is there when it is needed. */
export async function askAhead(
  world: HostWorld,
  access: Access,
  asker: Asker & { readonly digest?: string | undefined },
  wasOpen: boolean,
  signal: AbortSignal,
): Promise<void> {
  const own = ownSource(asker);
  if (own === undefined || asker.digest === undefined || !isRegistryUrl(own)) return;
  const claim = { url: own, headers: headersOf(asker), wasOpen, etag: undefined };
  // Whoever needs the answer asks again, and is told.
  await proveClaim(world, access, claim, signal).catch(() => undefined);
}

/** To a source as whom: what a client gave for one server goes to no other. */
type Claim = OriginRequest;

/** Public content of registries is proven again at those that gave it to everybody. */
function openClaims(asker: Asker, sources: readonly Source[]): Claim[] {
  const open = sources.filter(({ url, credentials }) => isRegistryUrl(url) && !credentials);
  return open.map(({ url }) => claimAt(asker, url));
}

/** Content of its sources: the one that was named comes first. @throws ERR_SOURCE_REFUSED */
function closedClaims(asker: Asker, sources: readonly Source[]): Claim[] {
  const own = ownSource(asker);
  const claims = sources
    .filter(({ url }) => url !== own)
    .map((source) => ({ ...claimAt(asker, source.url), needsCredentials: source.credentials }))
    .filter(({ url, headers, needsCredentials }) => {
      return !needsCredentials || isRegistryUrl(url) || credentialOf(headers) !== undefined;
    })
    .map(({ url, headers }): Claim => ({ url, headers }));
  if (own !== undefined) claims.unshift(claimAt(asker, own));
  const origins = new Set(claims.map(({ url }) => new URL(url).origin));
  if (own === undefined && origins.size > 1 && credentialOf(asker.headers) !== undefined) {
    throw new ShoalError(
      'ERR_SOURCE_REFUSED',
      'the credentials could be meant for several sources: give the URL, and the digest with --digest',
    );
  }
  return claims;
}

/** The URL that a request names. */
function ownSource({ resource }: Asker): string | undefined {
  return /^https?:/i.test(resource) ? parseSourceUrl(resource).url : undefined;
}

function claimAt(asker: Asker, url: string): Claim {
  const own = ownSource(asker);
  const isMeant = own === undefined || new URL(own).origin === new URL(url).origin;
  return { url, headers: isMeant ? headersOf(asker) : {} };
}

function ownerless({ headers }: Asker): ShoalError {
  return new ShoalError(
    'ERR_SOURCE_REFUSED',
    credentialOf(headers) === undefined
      ? 'this content belongs to its source; no credentials were given'
      : 'this content belongs to its source, and none is known that could let these credentials in',
  );
}

async function proveClaim(
  world: HostWorld,
  access: Access,
  claim: Claim & { readonly wasOpen: boolean; readonly etag: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { url, headers, wasOpen, etag } = claim;
  const claimant = { content: url, credential: credentialOf(headers), wasOpen };
  // A registry's answer to a condition does not say whom it was meant for.
  const known = etag === undefined || isRegistryUrl(url) ? undefined : { etag };
  await access.prove(claimant, () => askSource(world, { url, headers, known }, PROOF_MS, signal));
}

/** What a client's headers claim, as one string; undefined where they claim nothing. */
export function credentialOf(headers: Readonly<Record<string, string>>): string | undefined {
  const claims = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const [first] = claims;
  if (first === undefined) return undefined;
  if (claims.length === 1 && first[0] === 'authorization') return first[1];
  return JSON.stringify(claims.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The source of content closed it to those without credentials: its record says so from now on. */
export async function closeRecord(store: Store, contentUrl: string): Promise<void> {
  const name = new URL(contentUrl).pathname.split('/').at(-1) ?? '';
  const taskId = decodeURIComponent(name).replace(':', '-');
  if (!isTaskId(taskId) || store.row(taskId)?.audience !== 'public') return;
  const stored = await store.open(taskId);
  await stored?.amend({ audience: 'source' });
}
