import type { JobRecord } from '../../core/jobs.ts';
import { formatBytes, formatRate } from '../../core/units.ts';
import { RateMeter } from './rate.ts';

/** Shows how a job goes, on standard error. */
export interface JobProgressView {
  update(job: JobRecord): void;
  stop(): void;
}

const LINE_MS = 5_000;
const ESCAPE = String.fromCharCode(27);
/** To the begin of the line, and nothing behind. */
const ANEW = `\r${ESCAPE}[K`;

/** One line that changes on a terminal; elsewhere one now and then. */
export function openJobProgress(stream: NodeJS.WriteStream): JobProgressView {
  const rate = new RateMeter();
  let saidMs = performance.now();
  return {
    update(job) {
      const now = performance.now();
      rate.add(now, job.progress.doneBytes);
      const text = progressText(job, rate);
      if (stream.isTTY) stream.write(`${ANEW}${text}`);
      else if (now - saidMs >= LINE_MS) {
        saidMs = now;
        stream.write(`${text}\n`);
      }
    },
    stop() {
      if (stream.isTTY) stream.write(ANEW);
    },
  };
}

/** `running: 2 of 4 hosts, 310 MiB of 800 MiB, 140 MiB/s, 1 failed`. */
function progressText({ state, progress }: JobRecord, rate: RateMeter): string {
  const { hosts, succeeded, failed, doneBytes, length } = progress;
  const bytes = `${formatBytes(doneBytes)} of ${formatBytes(length)}`;
  const wrong = failed === 0 ? '' : `, ${failed} failed`;
  return `${state}: ${succeeded} of ${hosts} hosts, ${bytes}, ${formatRate(rate.bytesPerSec)}${wrong}`;
}
