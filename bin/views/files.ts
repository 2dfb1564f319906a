import { formatBytes } from '../../core/units.ts';
import type { Held, Verified } from '../files-command.ts';
import { factsText } from './tables.ts';

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
