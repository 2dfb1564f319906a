import { createRequire } from 'node:module';
import type { DownloadProgress } from '../../core/download.ts';
import { formatBytes, formatDuration, formatRate } from '../../core/units.ts';
import { RateMeter } from './rate.ts';

/** Shows how a download goes, on standard error. */
export interface ProgressView {
  update(progress: DownloadProgress): void;
  /** Says a line between. */
  note(text: string): void;
  stop(): void;
}

const LINE_MS = 5_000;
const PLAIN: Readonly<Record<DownloadProgress['state'], string>> = {
  resolving: 'asking the origin what it has',
  waiting: 'waiting for the first piece',
  transferring: 'transferring',
  starved: 'other hosts give nothing, reading the origin',
  adrift: 'no scheduler answers, going on without',
  verifying: 'verifying',
};

/** A bar on a terminal, a line every few seconds elsewhere. */
export function openProgress(stream: NodeJS.WriteStream): ProgressView {
  return stream.isTTY ? barProgress(stream) : lineProgress(stream);
}

function lineProgress(stream: NodeJS.WriteStream): ProgressView {
  const rate = new RateMeter();
  let saidMs = performance.now();
  return {
    update(progress) {
      const now = performance.now();
      rate.add(now, progress.doneBytes);
      if (now - saidMs < LINE_MS) return;
      saidMs = now;
      stream.write(`${progressText(progress, rate)}\n`);
    },
    note: (text) => void stream.write(`${text}\n`),
    stop: () => undefined,
  };
}

/** `12 % 31 MiB of 256 MiB, 14 MiB/s, 16 s left, transferring`. */
function progressText({ doneBytes, length, state }: DownloadProgress, rate: RateMeter): string {
  const speed = formatRate(rate.bytesPerSec);
  if (length === undefined) return `${formatBytes(doneBytes)}, ${speed}, ${PLAIN[state]}`;
  const percent = length === 0 ? 100 : Math.floor((doneBytes / length) * 100);
  const leftMs = rate.leftMs(length - doneBytes);
  const left = leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`;
  return `${percent} % ${formatBytes(doneBytes)} of ${formatBytes(length)}, ${speed}${left}, ${PLAIN[state]}`;
}

// Loaded where there is a terminal: a command without one starts sooner.
const requireHere = createRequire(import.meta.url);

function barProgress(stream: NodeJS.WriteStream): ProgressView {
  const { SingleBar } = requireHere('cli-progress') as typeof import('cli-progress');
  const rate = new RateMeter();
  const bar = new SingleBar({
    stream,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
    barsize: 30,
    format: (options, { progress: share }, payload: { text: string; known: boolean }) => {
      const full = Math.round(share * (options.barsize ?? 30));
      const drawn = '#'.repeat(full).padEnd(options.barsize ?? 30, '.');
      return payload.known ? `[${drawn}] ${payload.text}` : payload.text;
    },
  });
  let running = false;
  const stop = (): void => {
    if (running) bar.stop();
    running = false;
  };
  return {
    update(progress) {
      rate.add(performance.now(), progress.doneBytes);
      const known = progress.length !== undefined;
      const payload = { text: progressText(progress, rate), known };
      if (!running) bar.start(progress.length || 1, 0, payload);
      running = true;
      bar.setTotal(progress.length || 1);
      bar.update(progress.length === 0 ? 1 : progress.doneBytes, payload);
    },
    note(text) {
      stop();
      stream.write(`${text}\n`);
    },
    stop,
  };
}
