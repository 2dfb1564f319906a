import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import { VERSION } from './version.ts';

/** The loop is looked at so often: each look wakes the process. */
const LOOK_MS = 100;

/** Adds what every daemon tells: its build, and what prom-client knows of process and Node (`process_*`, `nodejs_*`). */
export function addProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOK_MS });
  const help = 'Always 1; which build of Shoal runs on which Node.';
  const labelNames = ['version', 'node'] as const;
  const build = new Gauge({ name: 'shoal_build_info', help, labelNames, registers: [registry] });
  build.set({ version: VERSION, node: process.version }, 1);
}
