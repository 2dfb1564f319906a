import type { DeliverySource } from '../../core/delivery.ts';
import { fromText, reasonsText, timeText } from '../../core/delivery-text.ts';
import type { Explanation } from '../../core/swarm-rows.ts';
import { formatBytes, formatDuration, formatRate } from '../../core/units.ts';
import { factsText, printable } from './tables.ts';
import { wrapText } from './wrap.ts';

type Row = Explanation['hosts'][number];

const TOLD_BY: Readonly<Record<Row['toldBy'], string>> = {
  host: 'the host itself',
  log: 'the log',
  scheduler: 'a scheduler, which knows no times',
};
const HOST_DIGITS = 32;

/** Where the bytes of a task came from, host by host, for people. */
export function explainText(explained: Explanation): string {
  const { taskId, state, length, sources, bytes, originReasons, heard, hosts } = explained;
  const copies = length ? `, ${(bytes.origin / length).toFixed(2)} times its size` : '';
  const scheduler = heard.scheduler ? 'a scheduler, ' : 'no scheduler, ';
  const log = heard.log === 'read' ? 'the log' : `no log (${heard.log})`;
  const facts = factsText([
    ['task', taskId],
    ...(state === undefined ? [] : [['state', state] as const]),
    ['size', length === undefined ? 'not known' : formatBytes(length)],
    ...sources.map((source) => ['source', source] as const),
    ['origin', `${formatBytes(bytes.origin)}${copies}`],
    ['why', reasonsText(originReasons) || 'nothing was read there'],
    ['asked', `${scheduler}${log}, ${heard.hosts === 1 ? '1 host' : `${heard.hosts} hosts`}`],
  ]);
  if (hosts.length === 0) return `${facts}\nno host is known to have it\n`;
  return `${facts}\n${hosts.map(hostText).join('\n')}`;
}

function hostText(row: Row): string {
  const { bytes, droppedBytes, time, linkBytesPerSec, sources, toldBy } = row;
  const lines = [wrapText(`${row.hostId}: ${outcomeText(row)}`, 2)];
  if (bytes.origin + bytes.peers + bytes.local === 0 && toldBy === 'scheduler') {
    lines.push('  nobody tells any more how it came here\n');
    return lines.join('');
  }
  const dropped = droppedBytes > 0 ? `; ${formatBytes(droppedBytes)} of that was taken back` : '';
  lines.push(wrapText(`  ${fromText(row, 'hosts')}${dropped}`, 4));
  const width = Math.max(0, ...sources.map((source) => formatBytes(source.bytes).length));
  for (const source of sources) lines.push(wrapText(sourceText(source, width), HOST_DIGITS + 4));
  if (time !== undefined) {
    const seen = linkBytesPerSec > 0 ? ` (links: ${formatRate(linkBytesPerSec)} seen at most)` : '';
    lines.push(wrapText(`  time: ${timeText(time)}${seen}`, 4));
  }
  lines.push(`  told by ${TOLD_BY[toldBy]}\n`);
  return lines.join('');
}

function outcomeText({ outcome, durationMs, length = 0, bytes, droppedBytes, error, toldBy }: Row): string {
  const fetched = bytes.origin + bytes.peers;
  const kept = fetched + bytes.local - droppedBytes;
  const rate = formatRate((fetched / Math.max(1, durationMs)) * 1000);
  const took = toldBy === 'scheduler' ? '' : ` in ${formatDuration(durationMs)} (${rate})`;
  if (outcome === 'complete') return `complete${took}`;
  const done = length > 0 ? ` of ${formatBytes(length)}` : '';
  const so = `${formatBytes(kept)}${done}${took}`;
  if (outcome === 'running') return `fetching: ${so} so far`;
  const why = error === undefined ? '' : `: ${printable(error.message)} (${printable(error.code)})`;
  return `${outcome === 'failed' ? 'failed' : 'left off'} after ${so}${why}`;
}

function sourceText(
  { from, hosts, bytes, unusedBytes, tookMs, failed }: DeliverySource,
  width: number,
): string {
  const who = hosts === undefined ? printable(from) : `${hosts} others`;
  const failures = Object.entries(failed).map(([reason, times]) => `${printable(reason)} ${times}`);
  return [
    `  ${who.padEnd(HOST_DIGITS)}`,
    ` ${formatBytes(bytes).padStart(width)}`,
    ` in ${formatDuration(tookMs)}`,
    unusedBytes > 0 ? `, ${formatBytes(unusedBytes)} unused` : '',
    failures.length > 0 ? `, failed: ${failures.join(', ')}` : '',
  ].join('');
}
