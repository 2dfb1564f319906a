import type { CacheRow } from '../../admin/cache-control.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { tableText } from './tables.ts';

/** What a cache holds, a task a line. */
export function cacheText(rows: readonly CacheRow[], nowMs: number): string {
  if (rows.length === 0) return 'nothing\n';
  return tableText(
    ['TASK', 'SIZE', 'HERE', 'AUDIENCE', 'PINNED', 'LAST USED'],
    rows.map(({ taskId, length, storedBytes, audience, kept, lastUsedMs }) => [
      taskId,
      length === undefined ? '-' : formatBytes(length),
      formatBytes(storedBytes),
      audience,
      kept ? 'yes' : 'no',
      `${formatDuration(Math.max(0, nowMs - lastUsedMs))} ago`,
    ]),
    [1, 2, 5],
  );
}
