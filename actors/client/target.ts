import type { DownloadRequest } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import {
  digestOfTask,
  isTaskId,
  looksLikeDigest,
  parseDigest,
  type TaskId,
  taskIdOfDigest,
} from '../../core/ids.ts';
import { parseSourceUrl } from '../../core/source.ts';
import { isReserved } from '../../origins/request-headers.ts';
import type { PeerInput } from '../host/peer/input.ts';
import type { HostWorld } from '../host/world.ts';
import type { OwnResources } from './own-resources.ts';
import { resolveUrl } from './resolve.ts';
import type { Tries } from './tries.ts';

/**
 * Which task is meant, and how to ask its source.
 * @throws ERR_CONFIG_INVALID, ERR_DIGEST_INVALID, ERR_SOURCE_*
 */
export async function targetOf(
  world: HostWorld,
  own: OwnResources,
  request: DownloadRequest,
  tries: Tries,
  signal: AbortSignal,
): Promise<PeerInput> {
  const { resource, noOrigin } = request;
  refuseReserved(request.headers);
  const digest = request.digest === undefined ? undefined : parseDigest(request.digest);
  const byId = idOf(resource);
  if (byId !== undefined) {
    if (digest !== undefined && digest !== digestOfTask(byId)) {
      throw new ShoalError('ERR_DIGEST_INVALID', 'the resource is another digest than --digest says');
    }
    return { taskId: byId, sources: [], headers: {}, mayReadOrigin: !noOrigin };
  }
  const { url } = parseSourceUrl(resource);
  const headers = headersOf(request);
  const source = { url, credentials: Object.keys(headers).length > 0 };
  const mayReadOrigin = !noOrigin;
  if (digest !== undefined)
    return { taskId: taskIdOfDigest(digest), sources: [source], headers, mayReadOrigin };
  // Without the origin nothing can be newer than what the swarm was told last.
  const maxStaleMs = noOrigin ? Number.MAX_SAFE_INTEGER : request.maxStaleMs;
  const { filteredQuery } = request;
  const { taskId: brokenOff, whole } = tries;
  const asked = {
    url,
    headers,
    mayReadOrigin,
    maxStaleMs,
    filteredQuery,
    brokenOff,
    whole,
    ask: tries.ask(),
  };
  const resolved = await resolveUrl(world, own, asked, signal);
  const opened = { probed: resolved.probed, body: resolved.body };
  return { taskId: resolved.taskId, sources: [source], headers, mayReadOrigin, opened };
}

/** What a client sends to its source: the user-info of a URL is a credential like any other. */
export function headersOf({
  resource,
  headers,
}: Pick<DownloadRequest, 'resource' | 'headers'>): Record<string, string> {
  if (idOf(resource) !== undefined) return { ...headers };
  const { userInfo } = parseSourceUrl(resource);
  if (userInfo === undefined) return { ...headers };
  return { ...headers, authorization: `Basic ${Buffer.from(userInfo).toString('base64')}` };
}

function idOf(resource: string): TaskId | undefined {
  if (isTaskId(resource)) return resource;
  return looksLikeDigest(resource) ? taskIdOfDigest(parseDigest(resource.replace('-', ':'))) : undefined;
}

/** A header that a read says itself would be dropped in silence otherwise. */
function refuseReserved(headers: DownloadRequest['headers']): void {
  const name = Object.keys(headers).find(isReserved);
  if (name === undefined) return;
  throw new ShoalError('ERR_CONFIG_INVALID', `--header ${name}: Shoal sets this header itself`);
}
