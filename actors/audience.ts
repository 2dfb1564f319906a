import type { Clock } from '../core/clock.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { isTaskId } from '../core/ids.ts';
import type { Source } from '../core/source.ts';
import type { Store, StoredTask, TaskRecord } from '../storage/store.ts';
import type { Access, Verdict } from './access.ts';
import { headersOf } from './download-target.ts';
import type { HostWorld } from './host-world.ts';
import type { Possession } from './possession.ts';
import { isRegistryUrl } from './registry-url.ts';

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
  const headers = headersOf(asker);
  const credential = credentialOf(headers);
  const wasOpen = stored.record.audience === 'public';
  const sources = sourcesToAsk(stored.record, credential);
  if (wasOpen && sources.length === 0) return;
  let refusal = new ShoalError(
    'ERR_SOURCE_REFUSED',
    credential === undefined
      ? 'this content belongs to its source; no credentials were given'
      : 'this content belongs to its source, and none is known that could let these credentials in',
  );
  for (const { url } of sources) {
    try {
      const ask = () => askSource(world, stored.record, { url, headers }, signal);
      await proofs.access.prove({ content: url, credential, wasOpen }, ask);
      if (!wasOpen) await proofs.possession.prove(world, stored, { url, headers }, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      refusal = toShoalError(error);
    }
  }
  throw refusal;
}

/** Who may say whether the client may have the content; empty where it is public and nobody need say so again. */
function sourcesToAsk({ audience, sources }: TaskRecord, credential: string | undefined): readonly Source[] {
  if (audience === 'public')
    return sources.filter(({ url, credentials }) => isRegistryUrl(url) && !credentials);
  return sources.filter(
    ({ url, credentials }) => isRegistryUrl(url) || (credentials && credential !== undefined),
  );
}

/** What a client's headers claim, as one string; undefined where they claim nothing. */
export function credentialOf(headers: Readonly<Record<string, string>>): string | undefined {
  const claims = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const [first] = claims;
  if (first === undefined) return undefined;
  if (claims.length === 1 && first[0] === 'authorization') return first[1];
  return JSON.stringify(claims.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function askSource(
  world: HostWorld,
  { etag }: TaskRecord,
  request: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<Verdict> {
  // A registry's answer to a condition does not say whom it was meant for.
  const known = etag === undefined || isRegistryUrl(request.url) ? undefined : { etag };
  const { signal: until, cancel } = within(world.clock, PROOF_MS, signal);
  try {
    const answer = await world.origin.probe({ ...request, known, prefixBytes: 1 }, until);
    if (answer.kind === 'unchanged') return { kind: 'allowed', open: false };
    answer.body.discard();
    return { kind: 'allowed', open: answer.probed.audience === 'public' };
  } catch (error) {
    signal.throwIfAborted();
    return verdictOf(toShoalError(error));
  } finally {
    cancel();
  }
}

/** What an error of an origin says of the client: a source out of reach, or too busy, has not refused it. */
export function verdictOf(error: ShoalError): Verdict {
  const { code, details } = error;
  const refused = code === 'ERR_SOURCE_REFUSED' || code === 'ERR_SOURCE_NOT_FOUND';
  if (refused || (code === 'ERR_SOURCE_STATUS' && details['status'] !== 429))
    return { kind: 'refused', error };
  return { kind: 'unreachable', error };
}

/** A signal that aborts with another, or when the time is over. */
export function within(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
): { readonly signal: AbortSignal; readonly cancel: () => void } {
  const late = new AbortController();
  const cancel = clock.after(limitMs, () =>
    late.abort(new ShoalError('ERR_SOURCE_UNAVAILABLE', `the source said nothing for ${limitMs} ms`)),
  );
  return { signal: AbortSignal.any([signal, late.signal]), cancel };
}

/** The source of content closed it to those without credentials: its record says so from now on. */
export async function closeRecord(store: Store, contentUrl: string): Promise<void> {
  const name = new URL(contentUrl).pathname.split('/').at(-1) ?? '';
  const taskId = decodeURIComponent(name).replace(':', '-');
  if (!isTaskId(taskId) || store.row(taskId)?.audience !== 'public') return;
  const stored = await store.open(taskId);
  await stored?.amend({ audience: 'source' });
}
