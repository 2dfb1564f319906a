import type { ListedEnd, ListProgress } from '../../app/list-getter.ts';
import { redactUrl } from '../../core/source.ts';
import { formatBytes, formatDuration, formatRate } from '../../core/units.ts';
import { RateMeter } from './rate.ts';

/** Shows how a list of gets goes, on standard error. */
interface ListProgressView {
  update(progress: ListProgress): void;
  /** One of them came to its end: what failed is said at once. */
  ended(end: ListedEnd): void;
  note(text: string): void;
  stop(): void;
}

const LINE_MS = 5_000;
const DRAW_MS = 100;
const BAR = 30;
const ESCAPE = String.fromCharCode(27);
/** To the begin of the line, and nothing behind. */
const ANEW = `\r${ESCAPE}[K`;

/** A bar over all files on a terminal; elsewhere a line now and then. */
export function openListProgress(stream: NodeJS.WriteStream, isSilent: boolean): ListProgressView {
  const rate = new RateMeter();
  const clear = stream.isTTY ? ANEW : '';
  let saidMs = performance.now();
  const say = (text: string): void => {
    if (!isSilent) stream.write(`${clear}${text}\n`);
  };
  return {
    update(progress) {
      const now = performance.now();
      rate.add(now, progress.doneBytes);
      if (isSilent || now - saidMs < (stream.isTTY ? DRAW_MS : LINE_MS)) return;
      saidMs = now;
      stream.write(
        stream.isTTY ? `${ANEW}${bar(progress)} ${text(progress, rate)}` : `${text(progress, rate)}\n`,
      );
    },
    ended({ entry, error }) {
      if (error !== undefined) say(`${entry.path}: ${redactUrl(error.message)} (${error.code})`);
    },
    note: say,
    stop() {
      if (!isSilent) stream.write(clear);
    },
  };
}

function bar({ done, files }: ListProgress): string {
  const full = Math.round((BAR * done) / Math.max(1, files));
  return `[${'#'.repeat(full).padEnd(BAR, '.')}]`;
}

/** `12 of 40 files, 31 MiB, 14 MiB/s, 1 failed`. */
function text({ done, files, failed, doneBytes }: ListProgress, rate: RateMeter): string {
  const wrong = failed === 0 ? '' : `, ${failed} failed`;
  return `${done} of ${files} files, ${formatBytes(doneBytes)}, ${formatRate(rate.bytesPerSec)}${wrong}`;
}

/** What became of a list, in a line. */
export function listSummaryText(ends: readonly ListedEnd[], durationMs: number): string {
  const count = (outcome: ListedEnd['outcome']) => ends.filter((end) => end.outcome === outcome).length;
  const bytes = { all: 0, origin: 0, peers: 0 };
  for (const { end } of ends) {
    bytes.all += end?.result.length ?? 0;
    bytes.origin += end?.result.bytes.origin ?? 0;
    bytes.peers += end?.result.bytes.peers ?? 0;
  }
  const others = (['unchanged', 'kept', 'failed'] as const).flatMap((outcome) =>
    count(outcome) === 0 ? [] : `, ${count(outcome)} ${outcome}`,
  );
  const from = `${formatBytes(bytes.origin)} from origins, ${formatBytes(bytes.peers)} from other hosts`;
  return `got ${count('got')} of ${ends.length} files, ${formatBytes(bytes.all)} in ${formatDuration(durationMs)}${others.join('')}; ${from}\n`;
}
