import type { TaskHistory } from '../../admin/control.ts';
import { fromText } from '../../core/delivery-text.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { printable } from './tables.ts';
import { wrapText } from './wrap.ts';

interface Entry {
  readonly atMs: number;
  readonly kind: string;
  readonly what: string;
}

/** What the log has of a task, oldest first, for people. */
export function historyText(history: TaskHistory): string {
  const { taskId, hashes } = history;
  const lines = entriesOf(history)
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, kind, what }) => wrapText(`${timeOf(atMs)}  ${kind.padEnd(9)}  ${what}`, 4));
  return `task:    ${taskId}\nhashes:  ${hashes === 1 ? 'of 1 piece' : `of ${hashes} pieces`}\n\n${lines.join('')}`;
}

function entriesOf({ created, failed, retired, deliveries }: TaskHistory): Entry[] {
  const entries: Entry[] = deliveries.map((delivery) => {
    const { atMs, hostId, outcome, durationMs } = delivery;
    const what = `${outcome} in ${formatDuration(durationMs)}: ${fromText(delivery, 'hosts')}`;
    return { atMs, kind: 'delivered', what: `${hostId} ${what}` };
  });
  if (created) {
    const { atMs, epoch, length, sources } = created;
    const size = length === undefined ? 'of unknown size' : formatBytes(length);
    const from = sources.map((source) => ` ${printable(source)}`).join('');
    entries.push({ atMs, kind: 'created', what: `${size}, epoch ${epoch}${from}` });
  }
  if (failed) {
    const { error } = failed;
    const what = error === undefined ? '' : `${printable(error.message)} (${printable(error.code)})`;
    entries.push({ atMs: failed.atMs, kind: 'failed', what });
  }
  if (retired) entries.push({ atMs: retired.atMs, kind: 'retired', what: 'nobody wanted it for a while' });
  return entries;
}

/** `2026-01-31 12:00:00`, UTC. */
function timeOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');
}
