import { createRequire } from 'node:module';
import type { PreheatPlan } from '../../app/preheat/preheat.ts';
import type { FetchReply } from '../../core/fetch-messages.ts';
import { formatBytes, formatRate } from '../../core/units.ts';
import { RateMeter } from './rate.ts';

/** Shows how a preheat goes, on standard error. */
export interface PreheatProgress {
  update(hostId: string, reply: FetchReply): void;
  stop(): void;
}

const LINE_MS = 5_000;
/** Digits of a host id in front of a bar. */
const ID_DIGITS = 12;
const BAR = 24;

/** A bar for each host on a terminal; elsewhere a line as each host ends, and one of all now and then. */
export function openPreheatProgress(stream: NodeJS.WriteStream, plan: PreheatPlan): PreheatProgress {
  return stream.isTTY ? bars(stream, plan) : lines(stream, plan);
}

/** Bytes of all items, as far as anybody knows. */
function lengthOf(plan: PreheatPlan, reply: FetchReply): number {
  const known = plan.items.reduce((sum, { size }) => sum + (size ?? 0), 0);
  return Math.max(known, reply.length);
}

/** `4/6 31 MiB of 256 MiB, 14 MiB/s, 1 failed`. */
function progressText(plan: PreheatPlan, reply: FetchReply, rate: RateMeter): string {
  const failed = reply.failed === 0 ? '' : `, ${reply.failed} failed`;
  const bytes = `${formatBytes(reply.doneBytes)} of ${formatBytes(lengthOf(plan, reply))}`;
  return `${reply.done}/${plan.items.length} ${bytes}, ${formatRate(rate.bytesPerSec)}${failed}`;
}

const hasEnded = (plan: PreheatPlan, { done, failed }: FetchReply): boolean =>
  done + failed >= plan.items.length;

function lines(stream: NodeJS.WriteStream, plan: PreheatPlan): PreheatProgress {
  const last = new Map<string, FetchReply>();
  const rates = new Map(plan.hosts.map(({ hostId }) => [hostId, new RateMeter()]));
  let saidMs = performance.now();
  return {
    update(hostId, reply) {
      const now = performance.now();
      const rate = rates.get(hostId) ?? new RateMeter();
      rate.add(now, reply.doneBytes);
      const before = last.get(hostId);
      last.set(hostId, reply);
      if (hasEnded(plan, reply) && (before === undefined || !hasEnded(plan, before))) {
        stream.write(`${hostId}: ${progressText(plan, reply, rate)}\n`);
      }
      if (now - saidMs < LINE_MS) return;
      saidMs = now;
      const ended = [...last.values()].filter((told) => hasEnded(plan, told)).length;
      const bytes = [...last.values()].reduce((sum, { doneBytes }) => sum + doneBytes, 0);
      const all = [...rates.values()].reduce((sum, { bytesPerSec }) => sum + bytesPerSec, 0);
      stream.write(
        `${ended} of ${plan.hosts.length} hosts done, ${formatBytes(bytes)}, ${formatRate(all)}\n`,
      );
    },
    stop: () => undefined,
  };
}

// Loaded where there is a terminal: a command without one starts sooner.
const requireHere = createRequire(import.meta.url);

function bars(stream: NodeJS.WriteStream, plan: PreheatPlan): PreheatProgress {
  const { MultiBar } = requireHere('cli-progress') as typeof import('cli-progress');
  const all = new MultiBar({
    stream,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
    barsize: BAR,
    format: (_options, { progress: share }, { host, text }: { host: string; text: string }) => {
      const drawn = '#'.repeat(Math.round(Math.min(1, share) * BAR)).padEnd(BAR, '.');
      return `${host} [${drawn}] ${text}`;
    },
  });
  // What does not fit would scroll: the hosts beyond go without a bar.
  const shown = plan.hosts.slice(0, Math.max(1, (stream.rows ?? 24) - 2));
  const rows = new Map(
    shown.map(({ hostId }) => {
      const payload = { host: hostId.slice(0, ID_DIGITS), text: 'asked' };
      return [hostId, { bar: all.create(1, 0, payload), rate: new RateMeter(), payload }] as const;
    }),
  );
  return {
    update(hostId, reply) {
      const row = rows.get(hostId);
      if (row === undefined) return;
      const { bar, rate, payload } = row;
      rate.add(performance.now(), reply.doneBytes);
      const done = hasEnded(plan, reply) && reply.failed === 0;
      const length = lengthOf(plan, reply) || 1;
      bar.setTotal(length);
      bar.update(done ? length : reply.doneBytes, { ...payload, text: progressText(plan, reply, rate) });
    },
    stop: () => all.stop(),
  };
}
