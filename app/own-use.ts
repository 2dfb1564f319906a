import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { OwnUse } from '../core/own-load.ts';

/** What this process used since its start: how long its one thread was busy, and how much of that was computing. */
export function ownUse(): OwnUse {
  return { busyMs: performance.eventLoopUtilization().active, cpuMs: processorMs() };
}

/** Time on a processor, and in line for one: on a machine with too few of them nobody waits for a disk then. */
function processorMs(): number {
  try {
    // Nanoseconds of the main thread: https://docs.kernel.org/scheduler/sched-stats.html
    const [ran = 0, waited = 0] = readFileSync('/proc/self/schedstat', 'latin1').split(' ').map(Number);
    return (ran + waited) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}
