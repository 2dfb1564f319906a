import type { ImageRow } from '../admin/control.ts';
import { ShoalError } from '../core/errors.ts';
import { isHostId, isTaskId, parseTaskId } from '../core/ids.ts';
import { parseImageReference } from '../core/oci-reference.ts';
import { isBeginning, shownId } from '../core/short-id.ts';
import { redactUrl } from '../core/source.ts';
import type { SwarmQueries } from './swarm-query.ts';

/** What names are looked up in: the swarm, and the images of this host where a daemon is asked. */
export type NamesIn = Pick<SwarmQueries, 'tasks' | 'hosts'> & {
  readonly images?: () => Promise<readonly ImageRow[]>;
};

/** Too many hosts have ids that begin with fewer digits. */
const LEAST_DIGITS = 4;
const HEX = /^(?:(?:sha256|sha512|url)[-:])?[0-9a-f]+(?:-at-[0-9a-f]*)?$/;

/**
 * The task that a person names: by its id or the beginning of it, a digest, a URL it was read at, or an image of this host.
 * @throws ERR_TASK_NOT_FOUND, ERR_TASK_ID_INVALID where several are meant
 */
export async function namedTask(known: NamesIn, text: string): Promise<string> {
  const given = text.trim();
  const id = given.replace(/^(sha256|sha512):/i, '$1-').toLowerCase();
  if (isTaskId(id)) return id;
  if (/^https?:\/\//i.test(given)) {
    const meant = [given, redactUrl(given)];
    const found = (await known.tasks()).filter(({ sources }) => sources.some((url) => meant.includes(url)));
    return theOne(
      given,
      found.map(({ taskId }) => taskId),
    );
  }
  if (HEX.test(id) && id.replace(/^\w+-/, '').length >= LEAST_DIGITS) {
    const ids = (await known.tasks()).map(({ taskId }) => taskId).filter((each) => isBeginning(id, each));
    // The same content at one place alone is another task, whose id says so.
    const plain = ids.filter((each) => !each.includes('-at-'));
    if (ids.length > 0) return theOne(given, id.includes('-at-') || plain.length === 0 ? ids : plain);
  }
  return (await imageTask(known, given)) ?? parseTaskId(given);
}

async function imageTask({ images }: NamesIn, given: string): Promise<string | undefined> {
  if (images === undefined || !/^[\w.:/@-]{1,400}$/.test(given)) return undefined;
  let reference: ReturnType<typeof parseImageReference>;
  try {
    reference = parseImageReference(given);
  } catch {
    return undefined;
  }
  const { registry, repository, tag, digest } = reference;
  const rows = (await images()).filter(
    (row) =>
      row.registry === registry && row.repository === repository && (digest ?? row.digest) === row.digest,
  );
  const tagged = rows.filter((row) => row.tag === tag);
  const indexes = (tagged.length > 0 ? tagged : rows).filter(({ kind }) => kind === 'index');
  const meant = indexes.length > 0 ? indexes : tagged.length > 0 ? tagged : rows;
  if (meant.length === 0) throw notFound(given);
  return theOne(given, [...new Set(meant.map((row) => row.digest.replace(':', '-')))]);
}

/**
 * The host that a person names: by its id or the beginning of it, its name, or its address.
 * @throws ERR_HOST_NOT_FOUND
 */
export async function namedHost(known: Pick<NamesIn, 'hosts'>, text: string): Promise<string> {
  const given = text.trim().toLowerCase();
  if (isHostId(given)) return given;
  const rows = await known.hosts();
  const found = rows.filter(
    ({ hostId, ip, name }) => ip === given || name?.toLowerCase() === given || isBeginning(given, hostId),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.hostId;
  const why = only === undefined ? 'no host is called' : `${found.length} hosts are meant by`;
  throw new ShoalError('ERR_HOST_NOT_FOUND', `${why} ${JSON.stringify(given.slice(0, 80))}`);
}

function theOne(given: string, ids: readonly string[]): string {
  const [only] = ids;
  if (only === undefined) throw notFound(given);
  if (ids.length === 1) return only;
  const shown = ids.slice(0, 4).map(shownId).join(', ');
  throw new ShoalError(
    'ERR_TASK_ID_INVALID',
    `${ids.length} tasks are meant by ${given.slice(0, 200)}: ${shown}`,
  );
}

function notFound(given: string): ShoalError {
  return new ShoalError('ERR_TASK_NOT_FOUND', `no task is meant by ${JSON.stringify(given.slice(0, 200))}`);
}
