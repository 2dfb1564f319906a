import type { DownloadResult } from '../../core/download.ts';
import { formatBytes, formatDuration, formatRate } from '../../core/units.ts';

const REASONS: Readonly<Record<string, string>> = {
  'no-holder': 'no holder yet',
  adrift: 'adrift',
  'refused-epoch': 'scheduler not believed',
  starved: 'nothing came',
  unreachable: 'holders out of reach',
  credentials: 'credentials',
  'lone-host': 'lone host',
};

/** `no holder yet 10 MiB, adrift 2 MiB`; empty where nothing was read. */
export function reasonsText(reasons: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(reasons)
    .flatMap(([reason, bytes]) => (bytes ? [`${REASONS[reason] ?? reason} ${formatBytes(bytes)}`] : []))
    .join(', ');
}

/**
 * The one line that ends a `get`: how much, how fast, where its bytes came from and why, and what was checked.
 * @param isGiven the content went out of the cache, and was hashed on its way
 */
export function summaryText(result: DownloadResult, isGiven: boolean): string {
  const { bytes, durationMs, length, parents, digest } = result;
  const rate = formatRate((length / Math.max(1, durationMs)) * 1000);
  const reasons = reasonsText(result.originReasons);
  const hosts = bytes.peers === 0 ? 'other hosts' : parents === 1 ? '1 peer' : `${parents} peers`;
  const verified = isGiven ? 'verified' : 'verified when it came';
  const checked =
    digest === undefined ? `every piece ${verified}, no digest given` : `${digest.split(':')[0]} ${verified}`;
  return [
    `got ${formatBytes(length)} in ${formatDuration(durationMs)} (${rate}):`,
    `${formatBytes(bytes.origin)} from the origin${reasons === '' ? '' : ` (${reasons})`},`,
    `${formatBytes(bytes.peers)} from ${hosts},`,
    `${formatBytes(bytes.local)} local;`,
    checked,
  ].join(' ');
}
