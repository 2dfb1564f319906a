import { type Digest, digestOfTask, type TaskId } from '../core/ids.ts';
import { RecentMap } from '../core/recent-map.ts';
import { resourceIdOf, type Source } from '../core/source.ts';
import { contentNamedIn, registryTargetOf } from './registry/target.ts';
import { asksWithCredentials } from './request-headers.ts';

/** Where everybody may read: any server but a registry that is asked without credentials. */
export const OPEN_PLACE = 'open';

/** Every sync asks for the place of its source again. */
const PLACES_KNOWN = new RecentMap<string, string>(4096);

/**
 * Where content of a digest is read, as one that can say who may have it: a registry answers for all its repositories,
 * where it is asked for that digest; another server that wants credentials, for one URL alone. All that want none are one
 * place, since what they give is everybody's.
 */
export function placeFor(source: Source, digest: Digest): string {
  const key = `${source.credentials} ${digest} ${source.url}`;
  let place = PLACES_KNOWN.get(key);
  if (place === undefined) {
    place = find(source, digest);
    PLACES_KNOWN.set(key, place);
  }
  return place;
}

function find({ url, credentials }: Source, digest: Digest): string {
  const registry = registryTargetOf(url);
  if (registry !== undefined && contentNamedIn(url) === digest) return registry.base;
  // A registry is asked with the host's own login where the client has none.
  const mayBeClosed = credentials || registry !== undefined || asksWithCredentials(new URL(url), {});
  return mayBeClosed ? resourceIdOf(url) : OPEN_PLACE;
}

/** Whether a place is where everybody may read: several sources, none of which speaks for another. */
export function isOpenPlace(place: string): boolean {
  return place === OPEN_PLACE;
}

/** Content, and the one place that all of it was read at, where that is known. */
interface Placed {
  readonly taskId: TaskId;
  readonly home?: string | undefined;
}

/**
 * Whether all of it was read where a source is: who is let in there is given nothing that another place gave. A task
 * without a digest is of one URL, and whoever names another means another task.
 */
export function isReadAt({ taskId, home }: Placed, source: Source): boolean {
  const digest = digestOfTask(taskId);
  return digest === undefined || home === placeFor(source, digest);
}
