import type { HostOutcome } from '../../app/preheat/follow-order.ts';
import type { PreheatPlan, PreheatResult } from '../../app/preheat/preheat.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { tableText } from './tables.ts';

/** The result of a preheat, a host a line. */
export function preheatText({ hosts }: PreheatPlan, result: PreheatResult): string {
  const roles = new Map(hosts.map(({ hostId, role }) => [hostId, role]));
  return tableText(
    ['HOST', 'ROLE', 'STATE', 'ITEMS', 'SIZE', 'FROM ORIGIN', 'FROM HOSTS', 'LOCAL', 'TIME', 'ERROR'],
    result.hosts.map((host) => [
      host.hostId,
      roles.get(host.hostId) ?? '-',
      host.state,
      host.state === 'accepted' ? String(host.items) : `${host.done}/${host.items}`,
      formatBytes(host.length),
      formatBytes(host.bytes.origin),
      formatBytes(host.bytes.peers),
      formatBytes(host.bytes.local),
      formatDuration(host.durationMs),
      reasonText(host),
    ]),
    [3, 4, 5, 6, 7, 8],
  );
}

/** `2 of 6: registry.example refuses with 401 (ERR_SOURCE_REFUSED)`; empty where all went well. */
function reasonText({ error, errors, failed, items }: HostOutcome): string {
  if (error !== undefined) return `${error.message} (${error.code})`;
  const [first] = errors;
  return first === undefined ? '' : `${failed} of ${items}: ${first.message} (${first.code})`;
}

/** The same for programs, with what was to be fetched. */
export function preheatJson({ items }: PreheatPlan, { jobId, hosts }: PreheatResult): string {
  return `${JSON.stringify({ jobId, items, hosts }, null, 2)}\n`;
}
