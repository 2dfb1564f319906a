import { ShoalError } from '../core/errors.ts';
import { parseSourceUrl } from '../core/source.ts';
import type { StoredTask } from '../storage/store.ts';
import type { HostWorld } from './host-world.ts';

interface Asker {
  readonly resource: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Lets a client have content that is not public only where one of the content's own sources lets that client's
 * credentials in, now.
 * @throws ERR_SOURCE_REFUSED, ERR_SOURCE_*
 */
export async function proveAudience(
  world: HostWorld,
  stored: StoredTask,
  asker: Asker,
  signal: AbortSignal,
): Promise<void> {
  const { audience, sources, etag } = stored.record;
  if (audience === 'public') return;
  const headers = headersOf(asker);
  let refusal: unknown = new ShoalError(
    'ERR_SOURCE_REFUSED',
    'this content belongs to its source; no credentials were given',
  );
  if (Object.keys(headers).length === 0) throw refusal;
  for (const { url } of sources.filter(({ credentials }) => credentials)) {
    try {
      const known = etag === undefined ? undefined : { etag };
      const answer = await world.origin.probe({ url, headers, known, prefixBytes: 1 }, signal);
      if (answer.kind === 'content') answer.body.discard();
      return;
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

function headersOf({ resource, headers }: Asker): Record<string, string> {
  if (!/^https?:/i.test(resource)) return { ...headers };
  const { userInfo } = parseSourceUrl(resource);
  if (userInfo === undefined) return { ...headers };
  return { ...headers, authorization: `Basic ${Buffer.from(userInfo).toString('base64')}` };
}
