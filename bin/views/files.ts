import type { CacheRow } from '../../admin/cache-control.ts';
import { formatBytes } from '../../core/units.ts';
import { factsText } from './tables.ts';

/** What of a task is where. */
export interface Held {
  readonly taskId: string;
  /** In the cache of this machine. */
  readonly here: CacheRow | undefined;
  /** How many hosts of the swarm hold all of it, and those that a scheduler names. */
  readonly holders: number;
  readonly hosts: readonly string[];
}

/** How a file compares. */
export interface Verified {
  readonly file: string;
  readonly digest: string;
  readonly length: number;
  /** Tasks in the cache of this machine with these bytes. */
  readonly here: readonly string[];
  /** Hosts that hold content of this digest. */
  readonly holders: number;
}

/** Where one task is held. */
export function heldText({ taskId, here, holders, hosts }: Held): string {
  const size = here?.length === undefined ? '' : ` of ${formatBytes(here.length)}`;
  return factsText([
    ['task', taskId],
    [
      'on this host',
      here === undefined
        ? 'nothing'
        : `${formatBytes(here.storedBytes)}${size}${here.kept ? ', pinned' : ''}`,
    ],
    ['in the swarm', `${holders === 1 ? '1 host holds' : `${holders} hosts hold`} all of it`],
    ...hosts.map((host): [string, string] => ['host', host]),
  ]);
}

/** How one file compares, in a line. */
export function verifiedText({ file, digest, here, holders }: Verified): string {
  if (here.length === 0 && holders === 0) return `${file}: unknown, ${digest}\n`;
  const where = [
    ...here.map((taskId) => `here as ${taskId}`),
    ...(holders > 0 ? [`held by ${holders}`] : []),
  ];
  return `${file}: OK, ${digest}, ${where.join(', ')}\n`;
}
