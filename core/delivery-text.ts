import type { DownloadResult } from './download.ts';
import { reasonWords } from './origin-reasons.ts';
import { TIME_PARTS, type TimePart, type TimeSpent } from './time-spent.ts';
import { formatBytes, formatDuration } from './units.ts';

/** A part of the time is told where it is at least this share of it. */
const TOLD_SHARE = 0.01;

/** `no holder yet 10 MiB, adrift 2 MiB`; empty where nothing was read. */
export function reasonsText(reasons: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(reasons)
    .flatMap(([reason, bytes]) => (bytes ? [`${reasonWords(reason)} ${formatBytes(bytes)}`] : []))
    .join(', ');
}

/** `links 17 s, waiting for pieces 2.1 s, tail 1 s`: the links first, then what was lost, the most first. */
export function timeText(time: TimeSpent): string {
  const parts = Object.keys(TIME_PARTS) as TimePart[];
  const wholeMs = parts.reduce((sum, part) => sum + time[part], 0);
  return parts
    .filter((part) => time[part] > 0 && time[part] >= TOLD_SHARE * wholeMs)
    .sort((a, b) => Number(b === 'links') - Number(a === 'links') || time[b] - time[a])
    .map((part) => `${TIME_PARTS[part]} ${formatDuration(time[part])}`)
    .join(', ');
}

/** Where bytes came from and why: `51 MiB from the origin (no holder yet 51 MiB), 205 MiB from 4 peers, 0 B local`. */
export function fromText(
  { bytes, originReasons }: Pick<DownloadResult, 'bytes' | 'originReasons'>,
  hosts: string,
): string {
  const reasons = reasonsText(originReasons);
  return [
    `${formatBytes(bytes.origin)} from the origin${reasons === '' ? '' : ` (${reasons})`},`,
    `${formatBytes(bytes.peers)} from ${bytes.peers === 0 ? 'other hosts' : hosts},`,
    `${formatBytes(bytes.local)} local`,
  ].join(' ');
}
