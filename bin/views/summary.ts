import { fromText, timeText } from '../../core/delivery-text.ts';
import type { DownloadResult } from '../../core/download.ts';
import { formatBytes, formatDuration, formatRate } from '../../core/units.ts';

/**
 * The one line that ends a `get`: how much, how fast, where its bytes came from and why, what the time went to, and what
 * was checked.
 * @param isGiven the content went out of the cache, and was hashed on its way
 */
export function summaryText(result: DownloadResult, isGiven: boolean): string {
  const { durationMs, length, parents, digest, time } = result;
  const rate = formatRate((length / Math.max(1, durationMs)) * 1000);
  const verified = isGiven ? 'verified' : 'verified when it came';
  const checked =
    digest === undefined ? `every piece ${verified}, no digest given` : `${digest.split(':')[0]} ${verified}`;
  const spent = timeText(time);
  return [
    `got ${formatBytes(length)} in ${formatDuration(durationMs)} (${rate}):`,
    `${fromText(result, parents === 1 ? '1 peer' : `${parents} peers`)};`,
    ...(spent === '' ? [] : [`${spent};`]),
    checked,
  ].join(' ');
}
